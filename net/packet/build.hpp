#pragma once

#include <capsa/ip_address.hpp>
#include <cstddef>
#include <cstdint>
#include <net/packet/mac_address.hpp>
#include <net/packet/packet.hpp>
#include <optional>
#include <span>
#include <vector>

/// Frames of our own. Each builder gives a whole frame with all checksums complete and without
/// padding; whoever needs the 60 bytes of a wire pads. Pure.
namespace capsa::net {

using FrameBytes = std::vector<std::byte>;

// -- checksums (RFC 1071)

/// The sum so far, not folded; parts but the last have an even number of bytes. Sums up to 2^16
/// words of 2^16 bytes and more do not overflow.
std::uint64_t checksum_add(std::uint64_t sum, std::span<const std::byte> bytes) noexcept;
/// Folded and complemented: what is stored in network order.
std::uint16_t checksum_finish(std::uint64_t sum) noexcept;
/// Of bytes in one piece. Over bytes that hold a right checksum it is 0.
std::uint16_t internet_checksum(std::span<const std::byte> bytes) noexcept;
/// The sum of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1), to go on with checksum_add().
std::uint64_t pseudo_header_sum(const IpAddress& from, const IpAddress& to, std::uint8_t protocol,
                                std::size_t transport_length) noexcept;

// -- builders

struct EthernetFields {
  MacAddress to;
  MacAddress from;
};

/// Both addresses are of one family, which is the packet's.
struct IpFields {
  IpAddress from;
  IpAddress to;
  std::uint8_t ttl = 64;
};

struct TcpFields {
  std::uint16_t from_port = 0;
  std::uint16_t to_port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint8_t flags = 0;
  std::uint16_t window = 0;
};

struct ArpFields {
  std::uint16_t operation = 1;  ///< 1: request, 2: reply
  MacAddress sender_mac;
  IpAddress sender;
  MacAddress target_mac;
  IpAddress target;
};

FrameBytes build_ethernet(const EthernetFields& ethernet, std::uint16_t type,
                          std::span<const std::byte> payload);
/// `transport` as it is: its checksum is the caller's.
FrameBytes build_ip(const EthernetFields& ethernet, const IpFields& ip, std::uint8_t protocol,
                    std::span<const std::byte> transport);
FrameBytes build_udp(const EthernetFields& ethernet, const IpFields& ip, std::uint16_t from_port,
                     std::uint16_t to_port, std::span<const std::byte> payload);
/// Without options.
FrameBytes build_tcp(const EthernetFields& ethernet, const IpFields& ip, const TcpFields& tcp,
                     std::span<const std::byte> payload = {});
/// ICMP or ICMPv6 by the family; `rest` is the second word of the header.
FrameBytes build_icmp(const EthernetFields& ethernet, const IpFields& ip, std::uint8_t type,
                      std::uint8_t code, std::uint32_t rest, std::span<const std::byte> body);
FrameBytes build_arp(const EthernetFields& ethernet, const ArpFields& arp);

// -- answers: to the sender of a frame that was parsed into `packet`, from the address it was sent
// to, unless another is given. Nothing where the protocols forbid an answer.

/// RFC 9293, 3.10.7.1: what a closed port answers. Never to a RST.
std::optional<FrameBytes> tcp_reset_for(std::span<const std::byte> frame, const Packet& packet);
/// A RST to the receiver of `packet` in the name of its sender, as if the sender had aborted after
/// the data before this segment.
std::optional<FrameBytes> tcp_abort_for(const Packet& packet, const EthernetFields& ethernet);
/// ICMP type 3 code 13 (RFC 1812, 5.2.7.1), ICMPv6 type 1 code 1 (RFC 4443, 3.1), from `router`.
/// Never about multicast or broadcast, an ICMP error, or any fragment but the first.
std::optional<FrameBytes> admin_prohibited_for(std::span<const std::byte> frame,
                                               const Packet& packet,
                                               const std::optional<IpAddress>& router = {});
/// What tells the sender of an IP packet that it is refused: tcp_reset_for(), and for what is not
/// TCP admin_prohibited_for().
std::optional<FrameBytes> refusal_for(std::span<const std::byte> frame, const Packet& packet);
/// Of an echo request, with its data.
std::optional<FrameBytes> echo_reply_for(std::span<const std::byte> frame, const Packet& packet);

}  // namespace capsa::net
