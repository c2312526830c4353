#include <algorithm>
#include <cstring>
#include <net/gso/segmenter.hpp>
#include <net/offload.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net::gso {

Segmenter::Segmenter(const Frame& frame, Checksum checksum) noexcept
    : frame_(frame), checksum_(checksum) {
  if (!frame || frame.meta().gso == Gso::None) return;
  FrameMeta meta = frame.meta();
  if (!check_offload(frame.bytes(), meta)) return;
  const auto tcp = find_tcp(frame.bytes());
  if (!tcp) return;
  tcp_ = *tcp;
  size_ = meta.gso_size;
  left_ = (frame.size() - tcp_.payload + size_ - 1) / size_;
}

Frame Segmenter::next(FramePool& pool) noexcept {
  if (left_ == 0) return {};
  const std::span<const std::byte> whole = frame_.bytes();
  const std::size_t offset = index_ * size_;
  const std::size_t count = std::min(size_, whole.size() - tcp_.payload - offset);
  Frame segment = pool.make(tcp_.payload + count);
  if (!segment) return segment;
  const std::span<std::byte> bytes = segment.bytes();
  std::memcpy(bytes.data(), whole.data(), tcp_.payload);
  std::memcpy(bytes.data() + tcp_.payload, whole.data() + tcp_.payload + offset, count);

  if (!tcp_.ipv6)
    wire::store16(bytes, tcp_.network + 4,
                  static_cast<std::uint16_t>(wire::load16(bytes, tcp_.network + 4) + index_));
  put_ip_length(bytes, tcp_);
  const std::size_t at = tcp_.transport;
  wire::store32(bytes, at + kTcpSequence,
                wire::load32(bytes, at + kTcpSequence) + static_cast<std::uint32_t>(offset));
  std::uint8_t flags = wire::load8(bytes, at + kTcpFlags);
  if (left_ > 1) flags &= static_cast<std::uint8_t>(~(kFin | kPsh));
  if (index_ > 0) flags &= static_cast<std::uint8_t>(~kCwr);
  wire::store8(bytes, at + kTcpFlags, flags);

  FrameMeta& meta = segment.meta();
  meta.needs_checksum = true;
  meta.checksum_start = static_cast<std::uint16_t>(at);
  meta.checksum_offset = kTcpChecksum;
  wire::store16(bytes, at + kTcpChecksum, pseudo_header_sum(bytes, tcp_));
  if (checksum_ == Checksum::Complete) {
    complete_checksum(bytes, meta);
    // That is for UDP. TCP has no "none", and senders write the plain number.
    if (wire::load16(bytes, at + kTcpChecksum) == 0xffff)
      wire::store16(bytes, at + kTcpChecksum, 0);
    meta.checksum_valid = true;
  }
  ++index_;
  --left_;
  return segment;
}

}  // namespace capsa::net::gso
