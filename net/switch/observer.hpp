#pragma once

#include <chrono>
#include <cstdint>
#include <net/frame_batch.hpp>

namespace capsa::net {

/// As whoever sits at the port sees it: a guest, as a rule.
enum class FrameDirection : std::uint8_t { Sent, Received };

/// Sees the frames of a port, as they come from it, whatever becomes of them, and as they go to it,
/// after all else has been done to them but offloads: checksums may be missing, and TCP segments be
/// large. Called on the switch's thread, must not call the switch.
class FrameObserver {
 public:
  virtual ~FrameObserver() = default;
  virtual void observe(FrameDirection direction, const Frame& frame,
                       std::chrono::steady_clock::time_point now) = 0;
};

}  // namespace capsa::net
