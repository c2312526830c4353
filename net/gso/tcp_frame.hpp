#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace capsa::net::gso {

// Bits of the TCP header's flags (RFC 9293, 3.1).
inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kPsh = 0x08;
inline constexpr std::uint8_t kAck = 0x10;
inline constexpr std::uint8_t kUrg = 0x20;
inline constexpr std::uint8_t kCwr = 0x80;

// Where fields lie in the TCP header.
inline constexpr std::size_t kTcpSequence = 4;
inline constexpr std::size_t kTcpDataOffset = 12;
inline constexpr std::size_t kTcpFlags = 13;
inline constexpr std::size_t kTcpChecksum = 16;
inline constexpr std::size_t kTcpHeader = 20;

/// Where an unfragmented TCP segment lies in a frame; positions are bytes from its first.
struct TcpFrame {
  bool ipv6 = false;
  std::size_t network = 0;
  std::size_t transport = 0;
  std::size_t payload = 0;  ///< at most the frame's length
};

/// Nothing where the frame is no such segment, or its headers are cut short. Lengths inside the IP
/// header are not looked at; the TCP header's is checked.
std::optional<TcpFrame> find_tcp(std::span<const std::byte> frame) noexcept;

/// Writes the lengths of the IP header for a packet that reaches to the end of `frame`, and the
/// checksum of IPv4's. Both the packet and the header are as long as find_tcp() says.
void put_ip_length(std::span<std::byte> frame, const TcpFrame& tcp) noexcept;
void put_ipv4_checksum(std::span<std::byte> frame, const TcpFrame& tcp) noexcept;

/// The sum of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1) for a segment that reaches to the
/// end of `frame`. An IPv6 routing header is not followed: the destination is the packet's.
std::uint16_t pseudo_header_sum(std::span<const std::byte> frame, const TcpFrame& tcp) noexcept;

}  // namespace capsa::net::gso
