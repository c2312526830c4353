#pragma once

#include <actors/network/nat.hpp>
#include <actors/network/net_port.hpp>
#include <actors/network/network_host.hpp>
#include <actors/values/network_addresses.hpp>
#include <capsa/agent_types.hpp>
#include <capsa/network.hpp>

namespace capsa::network {

/// A virtual network, whatever its kind.
struct GatewayRequest {
  NetworkAddresses addresses;
  std::optional<IpNetwork> prefix6;  ///< a /64; none: no IPv6
  std::vector<std::string> resolvers;
  bool nat = true;
  /// Who leads out of it in place of a NAT of ours.
  std::optional<IpAddress> router;
  bool host_loopback = false;
};

/// Its gateway, without stations.
result<NatPlan> plan_gateway(NetworkHost& host, const GatewayRequest& request);

/// A VM that joins it.
struct MemberRequest {
  std::string name;  ///< of the VM
  net::MacAddress mac;
  IpAddress address;
  std::vector<PortForward> forwards;
  std::optional<NetworkPolicy> policy;
  std::uint16_t queues = 1;
  /// Reaches the gateway only, not the other members.
  bool isolated = true;
  VmGuard::OnEvent on_event;
};

/// What the parts of its connection are made of.
struct MemberPlan {
  Station station;
  NetPortPlan card;
  InterfaceSpec interface;  ///< for a guest without a DHCP client
  std::string resolver;     ///< for such a guest, too
};
MemberPlan plan_member(NetworkHost& host, const NatPlan& network, MemberRequest request);

/// A label of DNS of what people call their VMs.
std::string host_name(const std::string& name);

/// Prefix number `index` of those that networks of ours use (RFC 4193).
IpNetwork network_prefix6(std::uint16_t index);

}  // namespace capsa::network
