#include <net/packet/build.hpp>
#include <net/packet/packet.hpp>
#include <net/packet/wire.hpp>
#include <optional>

namespace capsa::net {
namespace {

using wire::load16;
using wire::load32;
using wire::load8;

using Problem = std::optional<ParseProblem>;

constexpr std::uint16_t kEtherVlan = 0x8100;         // IEEE 802.1Q
constexpr std::uint16_t kEtherServiceVlan = 0x88a8;  // IEEE 802.1ad
constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kIcmpHeader = 8;
constexpr std::size_t kArp = 28;
/// RFC 8200, 4.1 has four kinds before a transport, destination options twice. Nobody needs more.
constexpr int kMaxExtensions = 6;

/// IPv6 extension headers (IANA): hop-by-hop, routing, destination options; fragment. The others
/// (AH, ESP, mobility, HIP, shim6) end the chain: what lies behind them is not ours to judge, and
/// no rule matches their numbers.
constexpr bool is_options(std::uint8_t next) {
  return next == 0 || next == 43 || next == 60;
}
constexpr std::uint8_t kFragmentHeader = 44;

Problem parse_arp(std::span<const std::byte> frame, Packet& packet) {
  const std::size_t at = packet.network;
  if (frame.size() < at + kArp) return ParseProblem::Truncated;
  packet.arp_operation = load16(frame, at + 6);
  if (load16(frame, at) != 1 || load16(frame, at + 2) != kEtherIpv4 || load8(frame, at + 4) != 6 ||
      load8(frame, at + 5) != 4 || packet.arp_operation < 1 || packet.arp_operation > 2) {
    return ParseProblem::BadArp;
  }
  packet.arp_sender_mac = wire::load_mac(frame, at + 8);
  packet.from = wire::load_v4(frame, at + 14);
  packet.arp_target_mac = wire::load_mac(frame, at + 18);
  packet.to = wire::load_v4(frame, at + 24);
  packet.transport = packet.payload = packet.end = at + kArp;
  return std::nullopt;
}

Problem parse_tcp(std::span<const std::byte> frame, Packet& packet) {
  const std::size_t at = packet.transport;
  if (packet.end < at + kTcpHeader) return ParseProblem::Truncated;
  const std::size_t header = (load8(frame, at + 12) >> 4) * std::size_t{4};
  if (header < kTcpHeader || packet.end < at + header) return ParseProblem::BadLength;
  packet.from_port = load16(frame, at);
  packet.to_port = load16(frame, at + 2);
  packet.tcp_sequence = load32(frame, at + 4);
  packet.tcp_acknowledgment = load32(frame, at + 8);
  packet.tcp_flags = load8(frame, at + 13);
  packet.payload = at + header;
  return std::nullopt;
}

Problem parse_udp(std::span<const std::byte> frame, Packet& packet) {
  const std::size_t at = packet.transport;
  if (packet.end < at + kUdpHeader) return ParseProblem::Truncated;
  // Two lengths that differ are two packets, to whoever reads the one or the other. Of a first
  // fragment it is the length of the whole.
  const std::size_t length = load16(frame, at + 4);
  const bool fits = packet.more_fragments ? length >= packet.end - at : length == packet.end - at;
  if (!fits || length < kUdpHeader) return ParseProblem::BadLength;
  packet.from_port = load16(frame, at);
  packet.to_port = load16(frame, at + 2);
  packet.payload = at + kUdpHeader;
  return std::nullopt;
}

Problem parse_icmp(std::span<const std::byte> frame, Packet& packet) {
  const std::size_t at = packet.transport;
  if (packet.end < at + kIcmpHeader) return ParseProblem::Truncated;
  packet.icmp_type = load8(frame, at);
  packet.icmp_code = load8(frame, at + 1);
  packet.payload = at + kIcmpHeader;
  if (packet.is_echo_request() || packet.is_echo_reply()) packet.icmp_id = load16(frame, at + 4);
  return std::nullopt;
}

Problem parse_transport(std::span<const std::byte> frame, Packet& packet) {
  packet.payload = packet.transport;
  if (packet.fragment && packet.fragment_offset != 0) return std::nullopt;
  if (packet.is_tcp()) return parse_tcp(frame, packet);
  if (packet.is_udp()) return parse_udp(frame, packet);
  if (packet.is_icmp()) return parse_icmp(frame, packet);
  return std::nullopt;
}

Problem parse_ipv4(std::span<const std::byte> frame, Packet& packet) {
  const std::size_t at = packet.network;
  if (frame.size() < at + kIpv4Header) return ParseProblem::Truncated;
  if (load8(frame, at) >> 4 != 4) return ParseProblem::BadVersion;
  const std::size_t header = (load8(frame, at) & 0x0fU) * std::size_t{4};
  const std::size_t total = load16(frame, at + 2);
  if (header < kIpv4Header || total < header) return ParseProblem::BadLength;
  if (frame.size() < at + total) return ParseProblem::Truncated;
  if (internet_checksum(frame.subspan(at, header)) != 0) return ParseProblem::BadChecksum;
  const std::uint16_t fragment = load16(frame, at + 6);  // RFC 791, 3.1
  packet.more_fragments = (fragment & 0x2000) != 0;
  packet.fragment_offset = (fragment & 0x1fffU) * std::size_t{8};
  packet.fragment = packet.more_fragments || packet.fragment_offset != 0;
  packet.has_ip_options = header > kIpv4Header;
  packet.ttl = load8(frame, at + 8);
  packet.protocol = load8(frame, at + 9);
  packet.from = wire::load_v4(frame, at + 12);
  packet.to = wire::load_v4(frame, at + 16);
  packet.transport = at + header;
  packet.end = at + total;
  return parse_transport(frame, packet);
}

Problem walk_extensions(std::span<const std::byte> frame, Packet& packet) {
  std::uint8_t next = load8(frame, packet.network + 6);
  std::size_t at = packet.network + kIpv6Header;
  for (int extensions = 0; is_options(next) || next == kFragmentHeader; ++extensions) {
    if (extensions == kMaxExtensions) return ParseProblem::TooMany;
    if (packet.end < at + 8) return ParseProblem::Truncated;
    std::size_t length = 8;
    if (next == kFragmentHeader) {
      if (packet.fragment) return ParseProblem::TooMany;
      const std::uint16_t fragment = load16(frame, at + 2);  // RFC 8200, 4.5
      packet.more_fragments = (fragment & 1) != 0;
      packet.fragment_offset = fragment & 0xfff8U;
      packet.fragment = true;
    } else {
      packet.has_ip_options = true;
      length = (load8(frame, at + 1) + std::size_t{1}) * 8;
    }
    if (packet.end < at + length) return ParseProblem::Truncated;
    next = load8(frame, at);
    at += length;
    if (packet.fragment_offset != 0) break;  // what follows is data
  }
  packet.protocol = next;
  packet.transport = at;
  return std::nullopt;
}

Problem parse_ipv6(std::span<const std::byte> frame, Packet& packet) {
  const std::size_t at = packet.network;
  if (frame.size() < at + kIpv6Header) return ParseProblem::Truncated;
  if (load8(frame, at) >> 4 != 6) return ParseProblem::BadVersion;
  packet.end = at + kIpv6Header + load16(frame, at + 4);
  if (frame.size() < packet.end) return ParseProblem::Truncated;
  packet.ttl = load8(frame, at + 7);
  packet.from = wire::load_v6(frame, at + 8);
  packet.to = wire::load_v6(frame, at + 24);
  if (const auto problem = walk_extensions(frame, packet)) return problem;
  return parse_transport(frame, packet);
}

}  // namespace

std::variant<Packet, ParseProblem> parse(std::span<const std::byte> frame) noexcept {
  if (frame.size() < kEthernetHeader) return ParseProblem::Truncated;
  Packet packet;
  packet.destination_mac = wire::load_mac(frame, 0);
  packet.source_mac = wire::load_mac(frame, MacAddress::kSize);
  packet.network = kEthernetHeader;
  Problem problem;
  switch (load16(frame, 12)) {
    case kEtherArp:
      packet.kind = PacketKind::Arp;
      problem = parse_arp(frame, packet);
      break;
    case kEtherIpv4:
      packet.kind = PacketKind::Ipv4;
      problem = parse_ipv4(frame, packet);
      break;
    case kEtherIpv6:
      packet.kind = PacketKind::Ipv6;
      problem = parse_ipv6(frame, packet);
      break;
    case kEtherVlan:
    case kEtherServiceVlan:
      problem = ParseProblem::Tagged;
      break;
    default:
      problem = ParseProblem::UnknownType;
      break;
  }
  if (problem) return *problem;
  return packet;
}

bool transport_checksum_ok(std::span<const std::byte> frame, const Packet& packet) noexcept {
  if (packet.fragment) return true;
  const auto transport = frame.subspan(packet.transport, packet.end - packet.transport);
  if (packet.is_icmp() && packet.kind == PacketKind::Ipv4) return internet_checksum(transport) == 0;
  if (!packet.is_tcp() && !packet.is_udp() && !packet.is_icmp()) return true;
  if (packet.is_udp() && load16(transport, 6) == 0) return packet.kind == PacketKind::Ipv4;
  const auto sum = pseudo_header_sum(packet.from, packet.to, packet.protocol, transport.size());
  return checksum_finish(checksum_add(sum, transport)) == 0;
}

std::string_view to_string(ParseProblem problem) noexcept {
  switch (problem) {
    case ParseProblem::Truncated:
      return "truncated";
    case ParseProblem::BadLength:
      return "bad_length";
    case ParseProblem::BadVersion:
      return "bad_version";
    case ParseProblem::BadChecksum:
      return "bad_checksum";
    case ParseProblem::Tagged:
      return "tagged";
    case ParseProblem::UnknownType:
      return "unknown_type";
    case ParseProblem::BadArp:
      return "bad_arp";
    case ParseProblem::TooMany:
      return "too_many";
  }
  return "unknown";
}

}  // namespace capsa::net
