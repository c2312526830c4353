#pragma once

#include <backends/memory/guest_memory.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace capsa::virtio {

/// Feature bits of the queue itself (virtio 1.2, 6 "Reserved Feature Bits").
inline constexpr std::uint64_t kFeatureIndirectDescriptors = 1ULL << 28;
inline constexpr std::uint64_t kFeatureEventIdx = 1ULL << 29;
inline constexpr std::uint64_t kFeatureVersion1 = 1ULL << 32;

/// One buffer of a chain, already checked to lie in guest memory and never empty. A descriptor that
/// spans two adjacent regions of guest memory becomes two segments.
using Segment = std::span<std::byte>;

/// What the driver made available under one head: the device reads `readable` first, then writes
/// `writable`. The segments point into guest memory and live as long as it is mapped; the guest
/// may change the bytes at any time. The lengths are ours and cannot change.
struct Chain {
  std::uint16_t head = 0;
  std::vector<Segment> readable;
  std::vector<Segment> writable;

  std::size_t readable_bytes() const noexcept;
  std::size_t writable_bytes() const noexcept;
  /// Copies the first bytes of the readable part, from `offset`; gives how many were copied.
  std::size_t copy_out(std::size_t offset, std::span<std::byte> out) const noexcept;
  /// Copies into the writable part, from `offset`; gives how many fitted.
  std::size_t copy_in(std::size_t offset, std::span<const std::byte> in) const noexcept;
};

/// Where a split virtqueue lies and what was agreed for it (virtio 1.2, 2.7).
struct QueueConfig {
  std::uint16_t size = 0;  ///< a power of two, at most kMaxQueueSize
  memory::GuestAddress descriptors = 0;
  memory::GuestAddress available = 0;
  memory::GuestAddress used = 0;
  std::uint16_t next_available = 0;  ///< where a queue that ran before goes on
  bool event_idx = false;
  bool indirect = false;
};

/// virtio 1.2, 2.7: "The maximum Queue Size value is 32768". Ours is lower: no driver that we know
/// asks for more than 1024, and it bounds what one malformed chain can cost.
inline constexpr std::uint16_t kMaxQueueSize = 4096;

/// The longest indirect table that we read. Linux builds tables longer than the queue, but none
/// beyond 1024 entries: that is where QEMU's own devices stop (its VIRTQUEUE_MAX_SIZE).
inline constexpr std::uint32_t kMaxIndirectLength = 1024;

/// The device's side of a split virtqueue. Every index, flag, length and address in it is the
/// guest's: each is read once, checked, and used from our copy. A queue that breaks the rules is
/// broken() from then on: it yields nothing and is never written to, until the driver resets the
/// device. Knows no notification mechanism. Single-threaded.
class Queue {
 public:
  /// InvalidConfig where the ring does not lie in guest memory, is misaligned or has a bad size.
  static result<Queue> create(std::shared_ptr<const memory::GuestMemory> memory,
                              QueueConfig config);

  /// The next chain the driver made available; nothing where there is none or the queue is broken.
  std::optional<Chain> pop();
  /// Puts the chain popped last back, so that the next pop() gives it again. Only directly after
  /// the pop() that gave it.
  void undo_pop() noexcept;
  /// Gives a chain back to the driver with `written` bytes in its writable part.
  void push(std::uint16_t head, std::uint32_t written);
  /// A chain to give back, and the bytes in its writable part.
  struct Used {
    std::uint16_t head = 0;
    std::uint32_t written = 0;
  };
  /// Gives several chains back at once: the driver sees none of them before it sees all (what
  /// virtio 1.2, 5.1.6.4.1 asks for the buffers of one frame).
  void push(std::span<const Used> chains);

  /// Whether the driver wants an interrupt for what was pushed since the last call.
  bool should_signal();
  /// Asks for a kick at the next available chain. True where one slipped in meanwhile: pop again,
  /// there may be no kick for it.
  bool enable_notifications();
  /// Says that kicks are not needed for now: we are draining.
  void disable_notifications();

  bool broken() const noexcept { return !broken_reason_.empty(); }
  /// Which rule the driver broke, for logs; empty while it has broken none.
  std::string_view broken_reason() const noexcept { return broken_reason_; }
  std::uint16_t next_available() const noexcept { return next_available_; }
  std::uint16_t size() const noexcept { return config_.size; }
  const std::shared_ptr<const memory::GuestMemory>& memory() const noexcept { return memory_; }

 private:
  /// The rings in our own mapping, translated once: `memory_` keeps it alive and unchanged.
  struct Rings {
    std::span<const std::byte> descriptors;
    std::uint16_t* available = nullptr;  ///< flags, idx, ring[size], used_event
    std::uint16_t* used = nullptr;       ///< flags, idx, ring[size] of 8 bytes each, avail_event
  };

  Queue(std::shared_ptr<const memory::GuestMemory> memory, QueueConfig config, Rings rings);

  std::shared_ptr<const memory::GuestMemory> memory_;
  QueueConfig config_;
  Rings rings_;
  std::uint16_t next_available_ = 0;
  std::uint16_t next_used_ = 0;
  std::uint32_t pushed_since_signal_ = 0;
  bool signalled_once_ = false;
  std::string_view broken_reason_;
};

}  // namespace capsa::virtio
