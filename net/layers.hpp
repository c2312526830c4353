#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace capsa::net {

inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;

/// Where the headers of an IP packet lie in a frame; positions are bytes from its first.
struct Layers {
  bool ipv6 = false;
  bool fragment = false;      ///< any but the whole packet: what lies at `transport` may be data
  std::uint8_t protocol = 0;  ///< of the transport, behind all extension headers of IPv6
  std::size_t network = 0;
  std::size_t transport = 0;  ///< at most the frame's length
};

/// Bytes of the Ethernet header with up to two VLAN tags; more than the frame where it ends before.
std::size_t ethernet_header_length(std::span<const std::byte> frame) noexcept;

/// Nothing where the frame is not IP, or cut short. Lengths inside the IP header are the sender's
/// and are not looked at.
std::optional<Layers> find_layers(std::span<const std::byte> frame) noexcept;

}  // namespace capsa::net
