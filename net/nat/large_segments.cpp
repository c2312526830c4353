#include <net/nat/large_segments.hpp>
#include <net/offload.hpp>
#include <net/packet/build.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net::nat {
namespace {

constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kTcpChecksum = 16;

/// What the checksum of the segment goes on from.
void store_pseudo_sum(std::span<std::byte> frame, const Packet& packet) {
  const auto sum =
      pseudo_header_sum(packet.from, packet.to, packet.protocol, packet.end - packet.transport);
  wire::store16(frame, packet.transport + kTcpChecksum,
                static_cast<std::uint16_t>(~checksum_finish(sum)));
}

}  // namespace

std::optional<std::uint16_t> announced_mss(std::span<const std::byte> frame, const Packet& packet) {
  std::optional<std::uint16_t> mss;
  std::size_t at = packet.transport + kTcpHeader;
  while (at < packet.payload) {
    const std::uint8_t kind = wire::load8(frame, at);
    if (kind == 0) break;
    if (kind == 1) {
      ++at;
      continue;
    }
    if (at + 2 > packet.payload) break;
    const std::uint8_t length = wire::load8(frame, at + 1);
    if (length < 2 || at + length > packet.payload) break;
    // The last one counts, as it does for libslirp.
    if (kind == 2 && length == 4) mss = wire::load16(frame, at + 2);
    at += length;
  }
  return mss;
}

bool complete(Frame& frame, const Packet& packet) {
  FrameMeta& meta = frame.meta();
  if (meta.gso == Gso::None) return complete_checksum(frame.bytes(), meta);
  if (!check_offload(frame.bytes(), meta)) return false;
  // What lies in the field depends on the driver: some leave the length out of the pseudo header.
  store_pseudo_sum(frame.bytes(), packet);
  meta = {};
  meta.needs_checksum = true;
  meta.checksum_start = static_cast<std::uint16_t>(packet.transport);
  meta.checksum_offset = kTcpChecksum;
  return complete_checksum(frame.bytes().first(packet.end), meta);
}

void mark_for_cutting(Frame& frame, const Packet& packet, std::uint16_t mss) {
  FrameMeta& meta = frame.meta();
  meta = {};
  if (packet.end - packet.payload <= mss) {
    meta.checksum_valid = true;
    return;
  }
  meta.needs_checksum = true;
  meta.checksum_start = static_cast<std::uint16_t>(packet.transport);
  meta.checksum_offset = kTcpChecksum;
  meta.gso = packet.kind == PacketKind::Ipv4 ? Gso::TcpV4 : Gso::TcpV6;
  meta.gso_size = mss;
  meta.header_length = static_cast<std::uint16_t>(packet.payload);
  store_pseudo_sum(frame.bytes(), packet);
}

}  // namespace capsa::net::nat
