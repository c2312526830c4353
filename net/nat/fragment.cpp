#include <algorithm>
#include <cstring>
#include <net/nat/fragment.hpp>
#include <net/packet/build.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net::nat {
namespace {

constexpr std::size_t kFragmentHeader = 8;
constexpr std::uint8_t kFragmentProtocol = 44;
constexpr std::uint16_t kMoreFragments = 0x2000;
constexpr std::size_t kLeastMtu = 576;  // RFC 791, 3.1; below it this would not end

}  // namespace

bool fragment(const Frame& frame, const Packet& packet, std::uint16_t mtu,
              std::uint32_t identification, FramePool& pool, FrameBatch& out) {
  const auto whole = frame.bytes();
  const bool ipv6 = packet.kind == PacketKind::Ipv6;
  const std::size_t headers = packet.transport;  // there are no options: libslirp makes none
  const std::size_t extra = ipv6 ? kFragmentHeader : 0;
  const std::size_t room =
      std::max<std::size_t>(mtu, kLeastMtu) - (headers - packet.network) - extra;
  const std::size_t step = room / 8 * 8;
  const std::size_t total = packet.end - headers;
  for (std::size_t at = 0; at < total; at += step) {
    const std::size_t length = std::min(step, total - at);
    const bool more = at + length < total;
    Frame piece = pool.make(headers + extra + length);
    if (!piece || out.full()) return false;
    const auto bytes = piece.bytes();
    std::memcpy(bytes.data(), whole.data(), headers);
    std::memcpy(bytes.data() + headers + extra, whole.data() + headers + at, length);
    const std::size_t ip = packet.network;
    if (ipv6) {
      wire::store16(bytes, ip + 4, static_cast<std::uint16_t>(extra + length));
      wire::store8(bytes, ip + 6, kFragmentProtocol);
      wire::store8(bytes, headers, packet.protocol);
      wire::store8(bytes, headers + 1, 0);
      wire::store16(bytes, headers + 2, static_cast<std::uint16_t>(at | (more ? 1U : 0U)));
      wire::store32(bytes, headers + 4, identification);
    } else {
      wire::store16(bytes, ip + 2, static_cast<std::uint16_t>(headers - ip + length));
      wire::store16(bytes, ip + 4, static_cast<std::uint16_t>(identification));
      wire::store16(bytes, ip + 6,
                    static_cast<std::uint16_t>(at / 8 | (more ? kMoreFragments : 0U)));
      wire::store16(bytes, ip + 10, 0);
      wire::store16(bytes, ip + 10, internet_checksum(bytes.subspan(ip, headers - ip)));
    }
    out.push(std::move(piece));
  }
  return true;
}

}  // namespace capsa::net::nat
