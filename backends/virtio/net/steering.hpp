#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace capsa::virtio::nic {

/// Automatic receive steering (virtio 1.2, 5.1.6.5.6.1): a flow is received by the queue pair that
/// last sent for it, so that a CPU of the guest has both directions. A table of small hashes: two
/// flows in one place cost a detour in the guest, nothing else.
class Steering {
 public:
  /// The guest sent `frame` by `pair`.
  void learn(std::span<const std::byte> frame, std::uint8_t pair) noexcept {
    if (const std::size_t at = slot(frame); at < kSlots) pairs_[at] = pair;
  }
  /// Where to receive `frame`; the first pair for flows never seen, and for what is not IP.
  std::uint8_t pair_for(std::span<const std::byte> frame) const noexcept {
    const std::size_t at = slot(frame);
    return at < kSlots ? pairs_[at] : 0;
  }
  void forget() noexcept { pairs_.fill(0); }

 private:
  static constexpr std::size_t kSlots = 256;
  /// The same for both directions of a flow; kSlots for what is not IP.
  static std::size_t slot(std::span<const std::byte> frame) noexcept;

  std::array<std::uint8_t, kSlots> pairs_{};
};

}  // namespace capsa::virtio::nic
