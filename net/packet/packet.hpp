#pragma once

#include <capsa/ip_address.hpp>
#include <cstddef>
#include <cstdint>
#include <net/packet/mac_address.hpp>
#include <span>
#include <string_view>
#include <variant>

namespace capsa::net {

inline constexpr std::uint16_t kEtherIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherArp = 0x0806;
inline constexpr std::uint16_t kEtherIpv6 = 0x86dd;
inline constexpr std::size_t kEthernetHeader = 14;

/// Protocol numbers of IP (IANA).
namespace ip_protocol {
inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kIcmpV6 = 58;
}  // namespace ip_protocol

/// Control bits of TCP (RFC 9293, 3.1).
namespace tcp_flag {
inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kPsh = 0x08;
inline constexpr std::uint8_t kAck = 0x10;
inline constexpr std::uint8_t kUrg = 0x20;
}  // namespace tcp_flag

namespace icmp_type {  // RFC 792, RFC 4443, RFC 4861
inline constexpr std::uint8_t kEchoReply = 0;
inline constexpr std::uint8_t kUnreachable = 3;
inline constexpr std::uint8_t kEchoRequest = 8;
inline constexpr std::uint8_t kV6Unreachable = 1;
inline constexpr std::uint8_t kV6TooBig = 2;
inline constexpr std::uint8_t kV6EchoRequest = 128;
inline constexpr std::uint8_t kV6EchoReply = 129;
inline constexpr std::uint8_t kV6RouterSolicitation = 133;
inline constexpr std::uint8_t kV6RouterAdvertisement = 134;
inline constexpr std::uint8_t kV6NeighborSolicitation = 135;
inline constexpr std::uint8_t kV6NeighborAdvertisement = 136;
inline constexpr std::uint8_t kV6Redirect = 137;
}  // namespace icmp_type

/// Why a frame is none that we understand. Such a frame is dropped and counted.
enum class ParseProblem : std::uint8_t {
  Truncated,    ///< it ends inside a header
  BadLength,    ///< a length in a header contradicts another one, or the bytes that are there
  BadVersion,   ///< the IP version is not the one that the Ethernet header says
  BadChecksum,  ///< of the IPv4 header
  Tagged,       ///< a VLAN tag (802.1Q, 802.1ad)
  UnknownType,  ///< an Ethernet type other than ARP, IPv4 and IPv6; or 802.3 with a length
  BadArp,       ///< ARP that is not about Ethernet and IPv4, or is no request and no reply
  TooMany,      ///< more IPv6 extension headers than anybody needs
};
inline constexpr std::size_t kParseProblems = 8;

/// "truncated", "bad_length", …
std::string_view to_string(ParseProblem problem) noexcept;

enum class PacketKind : std::uint8_t { Arp, Ipv4, Ipv6 };

/// What the headers of one frame say. Positions are bytes from the frame's first one, and
/// network <= transport <= payload <= end <= the frame's length: `end` is where the IP length says
/// that the packet ends, and what follows is padding. What does not belong to the kind is zero.
struct Packet {
  PacketKind kind = PacketKind::Ipv4;
  MacAddress source_mac;
  MacAddress destination_mac;
  IpAddress from;  ///< ARP: the sender's protocol address
  IpAddress to;    ///< ARP: the target's protocol address
  std::size_t network = 0;
  std::size_t transport = 0;
  std::size_t payload = 0;
  std::size_t end = 0;

  // -- IP
  std::uint8_t protocol = 0;    ///< of the transport, behind all extension headers of IPv6
  std::uint8_t ttl = 0;         ///< hop limit
  bool has_ip_options = false;  ///< IPv4 options; extension headers of IPv6 but for fragmentation
  bool fragment = false;        ///< any but the whole packet
  bool more_fragments = false;
  /// Bytes. Behind 0 there is no transport header, and `transport` == `payload`.
  std::size_t fragment_offset = 0;

  // -- UDP and TCP
  std::uint16_t from_port = 0;
  std::uint16_t to_port = 0;
  std::uint8_t tcp_flags = 0;
  std::uint32_t tcp_sequence = 0;
  std::uint32_t tcp_acknowledgment = 0;

  // -- ICMP and ICMPv6
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  std::uint16_t icmp_id = 0;  ///< of an echo request or reply

  // -- ARP (RFC 826)
  std::uint16_t arp_operation = 0;  ///< 1: request, 2: reply
  MacAddress arp_sender_mac;
  MacAddress arp_target_mac;

  bool is_ip() const noexcept { return kind != PacketKind::Arp; }
  bool is_tcp() const noexcept { return is_ip() && protocol == ip_protocol::kTcp; }
  bool is_udp() const noexcept { return is_ip() && protocol == ip_protocol::kUdp; }
  /// ICMP over IPv4, ICMPv6 over IPv6; the other way round it is an unknown protocol.
  bool is_icmp() const noexcept {
    return is_ip() &&
           protocol == (kind == PacketKind::Ipv4 ? ip_protocol::kIcmp : ip_protocol::kIcmpV6);
  }
  bool is_echo_request() const noexcept {
    return is_icmp() && icmp_type == (kind == PacketKind::Ipv4 ? icmp_type::kEchoRequest
                                                               : icmp_type::kV6EchoRequest);
  }
  bool is_echo_reply() const noexcept {
    return is_icmp() && icmp_type == (kind == PacketKind::Ipv4 ? icmp_type::kEchoReply
                                                               : icmp_type::kV6EchoReply);
  }
  bool is_syn() const noexcept {  ///< the first segment of a connection
    return is_tcp() && (tcp_flags & (tcp_flag::kSyn | tcp_flag::kAck | tcp_flag::kRst |
                                     tcp_flag::kFin)) == tcp_flag::kSyn;
  }
  /// What the transport carries.
  std::span<const std::byte> payload_of(std::span<const std::byte> frame) const noexcept {
    return frame.subspan(payload, end - payload);
  }
};

/// Reads a frame of a stranger. Every position in the result lies in `frame`. Transport checksums
/// are not looked at: with offloads they need not be there yet. See transport_checksum_ok().
/// TCP, UDP and ICMP headers must be whole where the packet says that they are there; other
/// transports are only a number. Pure.
std::variant<Packet, ParseProblem> parse(std::span<const std::byte> frame) noexcept;

/// Whether the checksum of a whole TCP, UDP or ICMP packet is right. UDP over IPv4 may go without
/// (RFC 768), over IPv6 it may not (RFC 8200, 8.1). True for fragments and other transports: they
/// have none that can be looked at.
bool transport_checksum_ok(std::span<const std::byte> frame, const Packet& packet) noexcept;

}  // namespace capsa::net
