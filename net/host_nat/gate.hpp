#pragma once

#include <capsa/ip_address.hpp>
#include <cstddef>
#include <net/packet/mac_address.hpp>
#include <span>

namespace capsa::net::host_nat {

/// What passes between a switch and the host's kernel. What the guest may reach has been judged at
/// its own port; here the kernel is kept from answering what is none of its business: it would tell
/// any address of the host that is asked for by ARP, and its DHCP servers hear every broadcast.
/// Pure.
class Gate {
 public:
  Gate(const MacAddress& host_mac, const IpAddress& host_address)
      : mac_(host_mac), address_(host_address) {}

  /// To the kernel: IPv4 for its own MAC address, and ARP about its own address.
  bool lets_out(std::span<const std::byte> frame) const;
  /// From the kernel: IPv4 for one station, and ARP; nothing else of what it says by itself.
  bool lets_in(std::span<const std::byte> frame) const;

 private:
  MacAddress mac_;
  IpAddress address_;
};

}  // namespace capsa::net::host_nat
