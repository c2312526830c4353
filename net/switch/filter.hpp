#pragma once

#include <chrono>
#include <cstdint>
#include <net/frame_batch.hpp>

namespace capsa::net {

enum class FilterVerdict : std::uint8_t {
  Pass,
  Drop,
  /// The frame has become an answer, which goes out by the port that the frame came in by, past all
  /// filters: whoever was refused hears of it.
  Answer,
};

/// Judges what a port sends and receives; may change frames, also replace one by another. Called
/// on the switch's thread, must not call the switch. Frames are a stranger's: nothing but their
/// least length is sure.
class Filter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  virtual ~Filter() = default;
  /// From the port, and of a source that the port may have.
  virtual FilterVerdict on_ingress(Frame& frame, Time now) = 0;
  /// To the port: the frame is its own, whoever else gets a copy.
  virtual FilterVerdict on_egress(Frame& frame, Time now) = 0;
};

}  // namespace capsa::net
