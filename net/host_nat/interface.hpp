#pragma once

#include <capsa/ip_address.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <net/packet/mac_address.hpp>
#include <net/tap/tap_device.hpp>

namespace capsa::net::host_nat {

/// A TAP interface of the host that is up and has an address.
struct Interface {
  TapDevice device;
  MacAddress mac;  ///< the host's own on it
};

/// Makes one, "capsa0" or what number is free, in the calling thread's network namespace: the host
/// has `address` there, which is IPv4, and a route to its network. It is gone with the device. For
/// errors see open_tap().
result<Interface> make_interface(const IpAddress& address, unsigned prefix, std::uint16_t mtu);

}  // namespace capsa::net::host_nat
