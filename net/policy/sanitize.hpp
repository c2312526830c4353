#pragma once

#include <array>
#include <capsa/ip_address.hpp>
#include <cstddef>
#include <cstdint>
#include <net/packet/packet.hpp>
#include <net/policy/verdict.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace capsa::net {

/// Why a frame did not go on. Each is counted.
enum class DropReason : std::uint8_t {
  None,
  Unparsable,    ///< see ParseProblem
  SpoofedMac,    ///< not the VM's own
  SpoofedIp,     ///< not the VM's own, or not yet
  SpoofedArp,    ///< ARP or neighbor discovery in the name of somebody else
  Fragment,      ///< no part of a packet is judged without the others
  IpOptions,     ///< source routes and the like
  BadFlags,      ///< TCP flags that no stack sends together
  BadTarget,     ///< an address that is not this VM's, or a group's MAC for one host's IP
  RogueService,  ///< what the gateway alone does: DHCP answers, router advertisements, redirects
  GroupControl,  ///< IGMP and MLD, which every Linux sends: nobody is there who needs it
  NoFlow,        ///< belongs to no flow that is known
  OutOfOrder,    ///< before the name of the flow was seen; it is sent again
  Denied,        ///< by the policy, and events tell
};
inline constexpr std::size_t kDropReasons = 14;

/// "unparsable", "spoofed_mac", …
std::string_view to_string(DropReason reason) noexcept;

/// Who the VM at a port is. What is not known yet it cannot be.
struct PortIdentity {
  MacAddress mac;
  /// Its lease or static address; without one only DHCP and ARP probes go through.
  std::optional<IpAddress> ipv4;
  /// Its addresses as far as they are known, and networks in which it may take any.
  std::vector<IpAddress> ipv6;
  std::vector<IpNetwork> ipv6_networks;

  /// Of IPv6 besides those above: any link-local address.
  bool has(const IpAddress& address, const NetworkContext& context) const noexcept;
};

/// What a frame of the guest must be before anybody looks at what it is for: in the VM's own name,
/// whole, and no service of the gateway. Pure.
DropReason check_sent(const Packet& packet, const PortIdentity& identity,
                      const NetworkContext& context) noexcept;

/// DHCP to the gateway; DNS to its resolver; ARP and neighbor discovery; ping of the gateway. To be
/// let through without looking at the policy, after check_sent().
bool is_service_request(const Packet& packet, const NetworkContext& context) noexcept;
/// The answers to these.
bool is_service_answer(const Packet& packet, const NetworkContext& context) noexcept;

}  // namespace capsa::net
