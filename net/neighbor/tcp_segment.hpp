#pragma once

#include <cstddef>
#include <cstdint>
#include <net/packet/build.hpp>
#include <net/packet/packet.hpp>
#include <optional>
#include <span>

/// What a server needs of TCP's segments beyond net/packet: the maximum segment size. Pure.
namespace capsa::net::neighbor {

/// The way from us to a peer.
struct TcpPath {
  EthernetFields ethernet;
  IpFields ip;
  std::uint16_t from_port = 0;
  std::uint16_t to_port = 0;
};

/// The payload that fits `mtu` bytes of IP, without options.
std::uint16_t tcp_payload_of(std::size_t mtu, bool ipv6) noexcept;

/// The MSS option of a SYN (RFC 9293, 3.2), as it stands there; nothing without one, and nothing
/// where the options contradict themselves before it.
std::optional<std::uint16_t> mss_option(std::span<const std::byte> frame,
                                        const Packet& packet) noexcept;

/// A SYN-ACK that says `mss`.
FrameBytes build_syn_ack(const TcpPath& path, std::uint32_t sequence, std::uint32_t acknowledgment,
                         std::uint16_t window, std::uint16_t mss);

}  // namespace capsa::net::neighbor
