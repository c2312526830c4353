#pragma once

#include <capsa/network.hpp>
#include <capsa/result.hpp>

namespace capsa {

/// The addresses of a virtual network, complete and checked: the gateway and the range are of the
/// subnet, and neither its first nor its last address; the range does not hold the gateway.
struct NetworkAddresses {
  IpNetwork subnet;
  IpAddress gateway;
  IpAddress dhcp_start;
  IpAddress dhcp_end;
  friend bool operator==(const NetworkAddresses&, const NetworkAddresses&) = default;
};

/// What `config` says, with what it leaves open as the defaults say. InvalidConfig: which field,
/// what was given, what is allowed.
result<NetworkAddresses> network_addresses(const UserNatConfig& config);
result<NetworkAddresses> network_addresses(const ClusterConfig& config);
/// Of the network that was chosen where `config` leaves it open.
result<NetworkAddresses> network_addresses(const HostNatConfig& config, const IpNetwork& chosen);

/// Where the host itself is in such a network: its first address.
IpAddress host_address(const NetworkAddresses& addresses);

/// A resolver to ask.
struct ResolverAddress {
  IpAddress address;
  std::uint16_t port = 53;
  friend bool operator==(const ResolverAddress&, const ResolverAddress&) = default;
};

/// "192.0.2.1", "192.0.2.1:5353", "2001:db8::1" or "[2001:db8::1]:53". InvalidConfig.
result<ResolverAddress> parse_resolver(std::string_view text);

}  // namespace capsa
