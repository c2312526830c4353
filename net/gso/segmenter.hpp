#pragma once

#include <cstddef>
#include <net/frame_batch.hpp>
#include <net/gso/tcp_frame.hpp>

namespace capsa::net::gso {

/// Cuts one large TCP segment (FrameMeta::gso) into those that fit a wire, one after another: there
/// may be more of them than a batch holds, thousands where a hostile guest asks for segments of
/// kMinGsoSize, and whoever calls stops where its credit ends. Single-threaded.
///
/// Each segment has the headers of the whole, with its own lengths, sequence number, IPv4
/// identification (counted up) and checksums; FIN and PSH are on the last only, CWR on the first
/// only (RFC 3168, 6.1.2).
class Segmenter {
 public:
  enum class Checksum : bool { Complete, LeftToReceiver };

  /// `frame` outlives this, and is not changed meanwhile. It may be anybody's: where it is none to
  /// be cut, or its metadata does not fit it, there are no segments.
  Segmenter(const Frame& frame, Checksum checksum) noexcept;

  /// How many are still to come.
  std::size_t left() const noexcept { return left_; }
  /// The next one, in a buffer of `pool`. Empty where there is none, or where the pool gives none;
  /// then it is still to come.
  Frame next(FramePool& pool) noexcept;

 private:
  const Frame& frame_;
  const Checksum checksum_;
  TcpFrame tcp_;
  std::size_t size_ = 0;  // payload of each but the last
  std::size_t index_ = 0;
  std::size_t left_ = 0;
};

}  // namespace capsa::net::gso
