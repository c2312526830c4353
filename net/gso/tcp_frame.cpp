#include <net/gso/sum.hpp>
#include <net/gso/tcp_frame.hpp>
#include <net/layers.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net::gso {

std::optional<TcpFrame> find_tcp(std::span<const std::byte> frame) noexcept {
  const auto layers = find_layers(frame);
  if (!layers || layers->protocol != kProtocolTcp || layers->fragment) return std::nullopt;
  if (frame.size() < layers->transport + kTcpHeader) return std::nullopt;
  const std::size_t header =
      (wire::load8(frame, layers->transport + kTcpDataOffset) >> 4) * std::size_t{4};
  if (header < kTcpHeader || frame.size() < layers->transport + header) return std::nullopt;
  return TcpFrame{layers->ipv6, layers->network, layers->transport, layers->transport + header};
}

void put_ip_length(std::span<std::byte> frame, const TcpFrame& tcp) noexcept {
  const auto length = static_cast<std::uint16_t>(frame.size() - tcp.network);
  if (tcp.ipv6) {
    wire::store16(frame, tcp.network + 4, static_cast<std::uint16_t>(length - 40));
  } else {
    wire::store16(frame, tcp.network + 2, length);
    put_ipv4_checksum(frame, tcp);
  }
}

void put_ipv4_checksum(std::span<std::byte> frame, const TcpFrame& tcp) noexcept {
  wire::store16(frame, tcp.network + 10, 0);
  Sum sum;
  sum.add(frame.subspan(tcp.network, tcp.transport - tcp.network));
  wire::store16(frame, tcp.network + 10, static_cast<std::uint16_t>(~sum.folded()));
}

std::uint16_t pseudo_header_sum(std::span<const std::byte> frame, const TcpFrame& tcp) noexcept {
  Sum sum;
  sum.add(tcp.ipv6 ? frame.subspan(tcp.network + 8, 32) : frame.subspan(tcp.network + 12, 8));
  sum.add(std::uint16_t{kProtocolTcp});
  sum.add(static_cast<std::uint16_t>(frame.size() - tcp.transport));
  return sum.folded();
}

}  // namespace capsa::net::gso
