#include <algorithm>
#include <net/policy/sanitize.hpp>

namespace capsa::net {
namespace {

constexpr std::uint8_t kIgmp = 2;
constexpr std::uint16_t kDhcpServer = 67;
constexpr std::uint16_t kDhcpClient = 68;
constexpr std::uint16_t kDhcpV6Client = 546;
constexpr std::uint16_t kDns = 53;
/// RFC 4861: a neighbor's packet has passed no router.
constexpr std::uint8_t kHopLimit = 255;

bool is_discovery(const Packet& packet) {  // RS, NS, NA
  return packet.kind == PacketKind::Ipv6 && packet.is_icmp() &&
         (packet.icmp_type == icmp_type::kV6RouterSolicitation ||
          packet.icmp_type == icmp_type::kV6NeighborSolicitation ||
          packet.icmp_type == icmp_type::kV6NeighborAdvertisement);
}

bool is_dhcp_request(const Packet& packet, const NetworkContext& context) {
  return packet.kind == PacketKind::Ipv4 && packet.is_udp() && packet.from_port == kDhcpClient &&
         packet.to_port == kDhcpServer &&
         (packet.to.is_broadcast() || context.is_gateway(packet.to));
}

bool is_group_control(const Packet& packet) {
  if (packet.kind == PacketKind::Ipv4) return packet.protocol == kIgmp;
  // RFC 2710, RFC 3810: these alone carry a router alert in front.
  return packet.is_icmp() &&
         ((packet.icmp_type >= 130 && packet.icmp_type <= 132) || packet.icmp_type == 143);
}

bool is_rogue(const Packet& packet) {
  if (packet.is_udp()) {
    return (packet.kind == PacketKind::Ipv4 && packet.from_port == kDhcpServer &&
            packet.to_port == kDhcpClient) ||
           (packet.kind == PacketKind::Ipv6 && packet.to_port == kDhcpV6Client);
  }
  return packet.kind == PacketKind::Ipv6 && packet.is_icmp() &&
         (packet.icmp_type == icmp_type::kV6RouterAdvertisement ||
          packet.icmp_type == icmp_type::kV6Redirect);
}

DropReason check_arp(const Packet& packet, const PortIdentity& identity) {
  const bool probe = packet.from.is_unspecified();  // RFC 5227
  const bool own = identity.ipv4 && packet.from == *identity.ipv4;
  if (packet.arp_sender_mac != identity.mac || !(own || (probe && packet.arp_operation == 1)))
    return DropReason::SpoofedArp;
  return DropReason::None;
}

bool may_be_from(const Packet& packet, const PortIdentity& identity,
                 const NetworkContext& context) {
  if (!packet.from.is_unspecified()) return identity.has(packet.from, context);
  if (packet.kind == PacketKind::Ipv4) return is_dhcp_request(packet, context);
  // RFC 4862: solicitations of who has no address yet.
  return is_discovery(packet) && packet.icmp_type != icmp_type::kV6NeighborAdvertisement;
}

DropReason check_tcp(const Packet& packet) {
  constexpr std::uint8_t kEnds = tcp_flag::kFin | tcp_flag::kRst;
  const bool starts = (packet.tcp_flags & tcp_flag::kSyn) != 0;
  const bool known =
      (packet.tcp_flags & (tcp_flag::kSyn | tcp_flag::kAck | tcp_flag::kRst | tcp_flag::kFin)) != 0;
  return (starts && (packet.tcp_flags & kEnds) != 0) || !known ? DropReason::BadFlags
                                                               : DropReason::None;
}

}  // namespace

bool PortIdentity::has(const IpAddress& address, const NetworkContext& context) const noexcept {
  if (address.is_v4()) return ipv4 && address == *ipv4;
  if (context.is_gateway(address)) return false;
  return address.is_link_local() || std::find(ipv6.begin(), ipv6.end(), address) != ipv6.end() ||
         std::any_of(ipv6_networks.begin(), ipv6_networks.end(),
                     [&](const IpNetwork& network) { return network.contains(address); });
}

DropReason check_sent(const Packet& packet, const PortIdentity& identity,
                      const NetworkContext& context) noexcept {
  if (packet.source_mac != identity.mac) return DropReason::SpoofedMac;
  if (packet.kind == PacketKind::Arp) return check_arp(packet, identity);
  if (is_group_control(packet)) return DropReason::GroupControl;
  if (!may_be_from(packet, identity, context)) return DropReason::SpoofedIp;
  if (packet.fragment) return DropReason::Fragment;
  if (packet.has_ip_options) return DropReason::IpOptions;
  if (is_rogue(packet)) return DropReason::RogueService;
  // One host's packet in a frame for all would reach peers that were not judged.
  const bool group = packet.to.is_multicast() || packet.to.is_broadcast();
  if (packet.destination_mac.is_multicast() != group) return DropReason::BadTarget;
  return packet.is_tcp() ? check_tcp(packet) : DropReason::None;
}

bool is_service_request(const Packet& packet, const NetworkContext& context) noexcept {
  if (packet.kind == PacketKind::Arp) return true;
  if (is_discovery(packet)) return packet.ttl == kHopLimit;
  if (is_dhcp_request(packet, context)) return true;
  if (!context.is_gateway(packet.to)) return false;
  return packet.is_echo_request() || packet.is_echo_reply() ||
         ((packet.is_udp() || packet.is_tcp()) && packet.to_port == kDns);
}

bool is_service_answer(const Packet& packet, const NetworkContext& context) noexcept {
  if (packet.kind == PacketKind::Arp) return true;
  if (packet.fragment || packet.has_ip_options) return false;
  if (is_discovery(packet)) return packet.ttl == kHopLimit;
  const bool advertises = packet.kind == PacketKind::Ipv6 && packet.is_icmp() &&
                          packet.icmp_type == icmp_type::kV6RouterAdvertisement;
  // Peers cannot send in the name of the gateway: their own ports see to it.
  if (!context.is_gateway(packet.from)) return false;
  if (advertises) return packet.ttl == kHopLimit;
  if (packet.is_echo_request() || packet.is_echo_reply()) return true;
  if (packet.is_udp() && packet.from_port == kDhcpServer) return packet.to_port == kDhcpClient;
  return (packet.is_udp() || packet.is_tcp()) && packet.from_port == kDns;
}

std::string_view to_string(DropReason reason) noexcept {
  constexpr std::array<std::string_view, kDropReasons> kNames{
      "none",          "unparsable", "spoofed_mac",  "spoofed_ip", "spoofed_arp",
      "fragment",      "ip_options", "bad_flags",    "bad_target", "rogue_service",
      "group_control", "no_flow",    "out_of_order", "denied"};
  return kNames[static_cast<std::size_t>(reason)];
}

}  // namespace capsa::net
