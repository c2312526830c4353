#include <algorithm>
#include <array>
#include <net/neighbor/tcp_segment.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net::neighbor {
namespace {

constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;

// Kinds of options (IANA).
constexpr std::uint8_t kEnd = 0;
constexpr std::uint8_t kNothing = 1;
constexpr std::uint8_t kMss = 2;
constexpr std::uint8_t kMssLength = 4;

}  // namespace

std::uint16_t tcp_payload_of(std::size_t mtu, bool ipv6) noexcept {
  const std::size_t headers = kTcpHeader + (ipv6 ? kIpv6Header : kIpv4Header);
  return static_cast<std::uint16_t>(mtu > headers ? std::min<std::size_t>(mtu - headers, 0xffff)
                                                  : 0);
}

std::optional<std::uint16_t> mss_option(std::span<const std::byte> frame,
                                        const Packet& packet) noexcept {
  const std::size_t at = packet.transport + kTcpHeader;
  auto options = frame.subspan(at, packet.payload - at);
  while (!options.empty()) {
    const auto kind = wire::load8(options, 0);
    if (kind == kEnd) return std::nullopt;
    std::size_t length = 1;
    if (kind != kNothing) {
      if (options.size() < 2) return std::nullopt;
      length = wire::load8(options, 1);
      if (length < 2 || length > options.size()) return std::nullopt;
      if (kind == kMss && length == kMssLength) return wire::load16(options, 2);
    }
    options = options.subspan(length);
  }
  return std::nullopt;
}

FrameBytes build_syn_ack(const TcpPath& path, std::uint32_t sequence, std::uint32_t acknowledgment,
                         std::uint16_t window, std::uint16_t mss) {
  std::array<std::byte, kTcpHeader + kMssLength> segment{};
  wire::store16(segment, 0, path.from_port);
  wire::store16(segment, 2, path.to_port);
  wire::store32(segment, 4, sequence);
  wire::store32(segment, 8, acknowledgment);
  wire::store8(segment, 12, segment.size() / 4 << 4);
  wire::store8(segment, 13, tcp_flag::kSyn | tcp_flag::kAck);
  wire::store16(segment, 14, window);
  wire::store8(segment, kTcpHeader, kMss);
  wire::store8(segment, kTcpHeader + 1, kMssLength);
  wire::store16(segment, kTcpHeader + 2, mss);
  const auto sum = pseudo_header_sum(path.ip.from, path.ip.to, ip_protocol::kTcp, segment.size());
  wire::store16(segment, 16, checksum_finish(checksum_add(sum, segment)));
  return build_ip(path.ethernet, path.ip, ip_protocol::kTcp, segment);
}

}  // namespace capsa::net::neighbor
