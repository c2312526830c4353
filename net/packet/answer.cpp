#include <algorithm>
#include <net/packet/build.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net {
namespace {

/// An ICMP error carries the packet's header and so much of what follows (RFC 1812, 4.3.2.3: as
/// much as fits into 576 bytes; RFC 4443, 3.1: into 1280).
constexpr std::size_t kMaxQuoteV4 = 576 - 20 - 8;
constexpr std::size_t kMaxQuoteV6 = 1280 - 40 - 8;

EthernetFields back(const Packet& packet) {
  return {packet.source_mac, packet.destination_mac};
}

/// Whom nobody answers: a group, or nobody.
bool is_one_host(const IpAddress& address) {
  return !address.is_multicast() && !address.is_broadcast() && !address.is_unspecified();
}

/// RFC 1122, 3.2.2 and RFC 4443, 2.4 (e): no error about an error.
bool is_icmp_error(const Packet& packet) {
  if (!packet.is_icmp()) return false;
  if (packet.kind == PacketKind::Ipv6) return packet.icmp_type < 128;
  switch (packet.icmp_type) {
    case 3:
    case 4:
    case 5:
    case 11:
    case 12:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<FrameBytes> tcp_reset_for(std::span<const std::byte> frame, const Packet& packet) {
  if (!packet.is_tcp() || packet.fragment_offset != 0 || packet.destination_mac.is_multicast() ||
      (packet.tcp_flags & tcp_flag::kRst) != 0 || !is_one_host(packet.from) ||
      !is_one_host(packet.to)) {
    return std::nullopt;
  }
  TcpFields tcp{.from_port = packet.to_port, .to_port = packet.from_port};
  if ((packet.tcp_flags & tcp_flag::kAck) != 0) {
    tcp.sequence = packet.tcp_acknowledgment;
    tcp.flags = tcp_flag::kRst;
  } else {
    auto length = static_cast<std::uint32_t>(packet.payload_of(frame).size());
    if ((packet.tcp_flags & tcp_flag::kSyn) != 0) ++length;
    if ((packet.tcp_flags & tcp_flag::kFin) != 0) ++length;
    tcp.acknowledgment = packet.tcp_sequence + length;
    tcp.flags = tcp_flag::kRst | tcp_flag::kAck;
  }
  return build_tcp(back(packet), {packet.to, packet.from}, tcp);
}

std::optional<FrameBytes> tcp_abort_for(const Packet& packet, const EthernetFields& ethernet) {
  if (!packet.is_tcp() || packet.fragment_offset != 0 || !is_one_host(packet.to))
    return std::nullopt;
  TcpFields tcp{.from_port = packet.from_port,
                .to_port = packet.to_port,
                .sequence = packet.tcp_sequence,
                .flags = tcp_flag::kRst};
  if ((packet.tcp_flags & tcp_flag::kAck) != 0) {
    tcp.acknowledgment = packet.tcp_acknowledgment;
    tcp.flags |= tcp_flag::kAck;
  }
  return build_tcp(ethernet, {packet.from, packet.to}, tcp);
}

std::optional<FrameBytes> admin_prohibited_for(std::span<const std::byte> frame,
                                               const Packet& packet,
                                               const std::optional<IpAddress>& router) {
  if (!packet.is_ip() || packet.fragment_offset != 0 || packet.destination_mac.is_multicast() ||
      is_icmp_error(packet) || !is_one_host(packet.from) || !is_one_host(packet.to)) {
    return std::nullopt;
  }
  const bool v4 = packet.kind == PacketKind::Ipv4;
  const IpAddress& from =
      router && router->is_v4() == packet.to.is_v4() && is_one_host(*router) ? *router : packet.to;
  const auto whole = frame.subspan(packet.network, packet.end - packet.network);
  const auto quoted = whole.first(std::min(whole.size(), v4 ? kMaxQuoteV4 : kMaxQuoteV6));
  return build_icmp(back(packet), {from, packet.from},
                    v4 ? icmp_type::kUnreachable : icmp_type::kV6Unreachable, v4 ? 13 : 1, 0,
                    quoted);
}

std::optional<FrameBytes> refusal_for(std::span<const std::byte> frame, const Packet& packet) {
  return packet.is_tcp() ? tcp_reset_for(frame, packet) : admin_prohibited_for(frame, packet);
}

std::optional<FrameBytes> echo_reply_for(std::span<const std::byte> frame, const Packet& packet) {
  if (!packet.is_echo_request() || packet.fragment || packet.destination_mac.is_multicast() ||
      !is_one_host(packet.from) || !is_one_host(packet.to)) {
    return std::nullopt;
  }
  const bool v4 = packet.kind == PacketKind::Ipv4;
  return build_icmp(back(packet), {packet.to, packet.from},
                    v4 ? icmp_type::kEchoReply : icmp_type::kV6EchoReply, 0,
                    wire::load32(frame, packet.transport + 4), packet.payload_of(frame));
}

}  // namespace capsa::net
