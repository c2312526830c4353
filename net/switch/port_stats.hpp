#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace capsa::net {

/// Why a frame got lost.
enum class FrameDrop : std::uint8_t {
  // Frames of the port
  LinkDown,       ///< its cable is out; frames to it, too
  BadSource,      ///< sent by a group, or by nobody
  Spoofed,        ///< sent in the name of another station
  Filtered,       ///< by its filter, whether answered or not; frames to it, too
  Reserved,       ///< to an address that bridges do not forward (IEEE 802.1Q, 8.6.3)
  Flooding,       ///< more than PortOptions::flood_limit
  OwnStation,     ///< to a station that is behind the same port
  Isolated,       ///< to a station that it must not reach
  NoDestination,  ///< nobody was there to receive it
  // Frames to the port
  Overflow,    ///< it took less than there was
  NoMemory,    ///< no buffer for a copy
  Unsupported  ///< what is left to be done to it cannot be done here
};
inline constexpr std::size_t kFrameDrops = 12;

/// Counters of a port since it was added. "In" is from the port into the switch.
struct PortStats {
  std::uint64_t frames_in = 0;  ///< whatever became of them
  std::uint64_t bytes_in = 0;
  std::uint64_t frames_out = 0;  ///< as they were taken: segments, where a frame had to be cut
  std::uint64_t bytes_out = 0;
  std::uint64_t answers = 0;            ///< of filters, that went to it
  std::uint64_t macs_not_learned = 0;   ///< frames of more stations than a port or the switch keeps
  std::uint64_t moves_not_learned = 0;  ///< frames of a station that moves about too quickly
  std::array<std::uint64_t, kFrameDrops> drops{};

  std::uint64_t dropped(FrameDrop why) const noexcept {
    return drops[static_cast<std::size_t>(why)];
  }
  std::uint64_t dropped() const noexcept {
    std::uint64_t all = 0;
    for (const std::uint64_t count : drops)
      all += count;
    return all;
  }
};

}  // namespace capsa::net
