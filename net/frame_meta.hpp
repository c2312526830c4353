#pragma once

#include <cstddef>
#include <cstdint>

namespace capsa::net {

/// An Ethernet header without a tag: nothing shorter is a frame.
inline constexpr std::size_t kMinFrame = 14;
/// The largest IP packet behind an Ethernet header, and one byte more to be even: what the receive
/// buffers of a driver for segmented TCP hold (virtio 1.2, 5.1.6.3.1: 65562 less the 12 of its
/// header).
inline constexpr std::size_t kMaxFrame = 65550;

/// Which segmentation a frame waits for: it is one large TCP segment, to be cut by whoever cannot
/// take it whole.
enum class Gso : std::uint8_t { None, TcpV4, TcpV6 };

/// What is still to be done to a frame before it is fit for a wire; what virtio_net_hdr says
/// (virtio 1.2, 5.1.6), in a form of our own. Lengths and positions are bytes, from the first byte
/// of the Ethernet header. Whoever takes it from a stranger checks it with check_offload().
struct FrameMeta {
  /// The Internet checksum of all bytes from `checksum_start` is to be put at `checksum_start` +
  /// `checksum_offset`, where the sum of the pseudo header lies already.
  bool needs_checksum = false;
  /// Whoever made the frame vouches for its transport checksum.
  bool checksum_valid = false;
  /// With `gso`: CWR is set, and belongs to the first segment only.
  bool ecn = false;
  Gso gso = Gso::None;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
  std::uint16_t gso_size = 0;       ///< payload of each segment but the last
  std::uint16_t header_length = 0;  ///< with `gso`: Ethernet, IP and TCP headers together

  friend bool operator==(const FrameMeta&, const FrameMeta&) = default;
};

/// Which frames somebody takes although something is left to be done to them.
struct Offloads {
  bool checksum = false;
  bool tso4 = false;  ///< the three below are of use together with `checksum` only
  bool tso6 = false;
  bool ecn = false;

  /// Whether such a frame can be handed over as it is. Else its sender completes the checksum
  /// (complete_checksum()) or cuts the frame into segments first.
  constexpr bool accepts(const FrameMeta& meta) const noexcept {
    if (meta.needs_checksum && !checksum) return false;
    if (meta.gso == Gso::None) return true;
    return (meta.gso == Gso::TcpV4 ? tso4 : tso6) && (ecn || !meta.ecn);
  }
  friend bool operator==(const Offloads&, const Offloads&) = default;
};

inline constexpr Offloads kAllOffloads{.checksum = true, .tso4 = true, .tso6 = true, .ecn = true};

}  // namespace capsa::net
