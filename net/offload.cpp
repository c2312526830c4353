#include <cstring>
#include <net/layers.hpp>
#include <net/offload.hpp>

namespace capsa::net {
namespace {

constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kTcpDataOffset = 12;
constexpr std::size_t kTcpChecksum = 16;

bool checksum_inside(std::size_t frame_length, const FrameMeta& meta) {
  return meta.checksum_start >= kMinFrame &&
         std::size_t{meta.checksum_start} + meta.checksum_offset + 2 <= frame_length;
}

/// The one's complement sum of RFC 1071 over words in the host's order, which is the same sum with
/// its bytes in the host's order.
std::uint16_t sum(std::span<const std::byte> bytes) {
  std::uint64_t total = 0;
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t word;
    std::memcpy(&word, bytes.data() + at, 4);
    total += word;  // at most 2^14 of them
  }
  std::uint32_t last = 0;  // what is missing counts as zero
  std::memcpy(&last, bytes.data() + at, bytes.size() - at);
  total += last;
  while (total >> 16 != 0)
    total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint16_t>(total);
}

}  // namespace

bool check_offload(std::span<const std::byte> frame, FrameMeta& meta) noexcept {
  if (frame.size() < kMinFrame) return false;
  if (meta.needs_checksum && !checksum_inside(frame.size(), meta)) return false;
  if (meta.gso == Gso::None) return !meta.ecn;
  // virtio 1.2, 5.1.6.2.1: segmentation needs the checksum.
  if (!meta.needs_checksum || meta.gso_size < kMinGsoSize) return false;
  if (meta.header_length > frame.size()) return false;
  const auto layers = find_layers(frame);
  if (!layers || layers->protocol != kProtocolTcp || layers->fragment) return false;
  if (layers->ipv6 != (meta.gso == Gso::TcpV6)) return false;
  if (frame.size() < layers->transport + kTcpHeader) return false;
  if (meta.checksum_start != layers->transport || meta.checksum_offset != kTcpChecksum)
    return false;
  const std::size_t tcp =
      (std::to_integer<std::size_t>(frame[layers->transport + kTcpDataOffset]) >> 4) * 4;
  if (tcp < kTcpHeader || frame.size() <= layers->transport + tcp) return false;
  meta.header_length = static_cast<std::uint16_t>(layers->transport + tcp);
  return true;
}

bool complete_checksum(std::span<std::byte> frame, FrameMeta& meta) noexcept {
  if (!meta.needs_checksum) return true;
  if (meta.gso != Gso::None || !checksum_inside(frame.size(), meta)) return false;
  auto checksum = static_cast<std::uint16_t>(~sum(frame.subspan(meta.checksum_start)));
  // For UDP zero means that there is none (RFC 768); for the others both are the same number.
  if (checksum == 0) checksum = 0xffff;
  std::memcpy(frame.data() + meta.checksum_start + meta.checksum_offset, &checksum, 2);
  meta.needs_checksum = false;
  meta.checksum_start = meta.checksum_offset = 0;
  return true;
}

}  // namespace capsa::net
