#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <net/frame_meta.hpp>
#include <span>
#include <utility>
#include <vector>

namespace capsa::net {

class FramePool;

namespace detail {

struct FrameBuffer {
  std::shared_ptr<FramePool> pool;  // while it is in use; null while it lies in the pool
  std::unique_ptr<std::byte[]> bytes;
  std::size_t size_class = 0;
  std::size_t length = 0;
  FrameMeta meta;
};

}  // namespace detail

/// One Ethernet frame, without its checksum (FCS), in a buffer of a FramePool, to which it goes
/// back. Move-only; on one thread at a time, and any thread may be the last.
class Frame {
 public:
  Frame() = default;
  Frame(Frame&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  Frame& operator=(Frame&& other) noexcept {
    std::swap(buffer_, other.buffer_);
    other.release();
    return *this;
  }
  ~Frame() { release(); }

  /// False for one that was moved from, or that a pool could not give: only to be destroyed or
  /// assigned to.
  explicit operator bool() const noexcept { return buffer_ != nullptr; }
  std::size_t size() const noexcept { return buffer_->length; }
  std::span<std::byte> bytes() noexcept { return {buffer_->bytes.get(), buffer_->length}; }
  std::span<const std::byte> bytes() const noexcept {
    return {buffer_->bytes.get(), buffer_->length};
  }
  FrameMeta& meta() noexcept { return buffer_->meta; }
  const FrameMeta& meta() const noexcept { return buffer_->meta; }
  /// Whether its buffer is one of `pool`.
  bool is_of(const FramePool& pool) const noexcept {
    return buffer_ != nullptr && buffer_->pool.get() == &pool;
  }

 private:
  friend class FrameBatch;
  friend class FramePool;
  explicit Frame(detail::FrameBuffer* buffer) noexcept : buffer_(buffer) {}
  void release() noexcept;

  detail::FrameBuffer* buffer_ = nullptr;
};

/// Frames in the order they came, which travel together: one message, one wake-up, one interrupt.
/// Move-only; on one thread at a time.
class FrameBatch {
 public:
  /// What one step of anybody who handles frames is bounded by: a whole ring of the usual size.
  static constexpr std::size_t kMaxFrames = 256;

  /// Belongs to no pool: its list is allocated. FramePool::batch() gives one whose list is not.
  FrameBatch() = default;
  FrameBatch(FrameBatch&& other) noexcept;
  FrameBatch& operator=(FrameBatch&& other) noexcept;
  ~FrameBatch();

  /// False, and `frame` stays where it is, where it is empty or the batch is full.
  bool push(Frame&& frame);
  /// Gives the first frames back to their pools; `count` is at most size().
  void drop_front(std::size_t count) noexcept;
  void clear() noexcept { drop_front(size()); }

  std::size_t size() const noexcept { return frames_.size() - first_; }
  bool empty() const noexcept { return size() == 0; }
  bool full() const noexcept { return size() == kMaxFrames; }
  /// A frame may be moved out; it then counts as one that is empty.
  Frame& operator[](std::size_t index) noexcept { return frames_[first_ + index]; }
  const Frame& operator[](std::size_t index) const noexcept { return frames_[first_ + index]; }
  Frame* begin() noexcept { return frames_.data() + first_; }
  Frame* end() noexcept { return frames_.data() + frames_.size(); }
  const Frame* begin() const noexcept { return frames_.data() + first_; }
  const Frame* end() const noexcept { return frames_.data() + frames_.size(); }

 private:
  friend class FramePool;

  std::shared_ptr<FramePool> pool_;  // where the list goes back to; none for a batch of its own
  std::vector<Frame> frames_;
  std::size_t first_ = 0;
};

/// Counters of a pool; bytes are those of buffers, not of frames.
struct FramePoolStats {
  std::uint64_t allocations = 0;  ///< buffers and lists ever made: stands still once it is warm
  std::uint64_t refused = 0;      ///< frames that were not given: the cap, or a length
  std::size_t bytes_held = 0;     ///< in use and free; never above the cap
  std::size_t bytes_in_use = 0;
};

/// Buffers for frames, kept when they come back, so that a warm pool allocates nothing. The cap is
/// what the frames of one owner may cost; it has a pool of its own, and whoever keeps frames of
/// others for long copies them into his. Outlived by its frames and batches. Thread-safe.
class FramePool : public std::enable_shared_from_this<FramePool> {
 public:
  /// Room for the frames of a ring of the usual size in flight, or for some 120 of the largest.
  static constexpr std::size_t kDefaultCap = 8U << 20;

  static std::shared_ptr<FramePool> create(std::size_t cap_bytes = kDefaultCap);
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool();

  /// A frame of `length` bytes with empty metadata. What its bytes are is undefined: they may be
  /// somebody else's, so all of them are written. Empty where the cap is reached or `length` is
  /// not kMinFrame to kMaxFrame.
  Frame make(std::size_t length);
  /// A frame with these bytes and empty metadata. Empty as with make().
  Frame make(std::span<const std::byte> bytes);
  /// The same bytes and metadata in a buffer of this pool. Empty as with make().
  Frame copy(const Frame& frame);
  /// An empty batch whose list is recycled.
  FrameBatch batch();
  /// Lets go of everything that is free: for owners that have fallen idle.
  void trim() noexcept;

  FramePoolStats stats() const;

 private:
  friend class Frame;
  friend class FrameBatch;

  // An ordinary frame; a jumbo frame, or a segment of several pages; anything.
  static constexpr std::array<std::size_t, 3> kSizes{2048, 16384, kMaxFrame};
  // One for each port of a large switch, which floods to all of them.
  static constexpr std::size_t kMaxFreeLists = 256;

  explicit FramePool(std::size_t cap_bytes) : cap_(cap_bytes) {}

  bool make_room(std::size_t bytes) noexcept;
  void free_buffers(std::size_t size_class) noexcept;
  /// Frames that are all of this pool, or were moved from.
  void take_back(std::span<Frame> frames) noexcept;
  void take_back(std::vector<Frame> list) noexcept;

  const std::size_t cap_;
  mutable std::mutex mutex_;
  std::array<std::vector<detail::FrameBuffer*>, kSizes.size()> free_;
  std::vector<std::vector<Frame>> free_lists_;
  FramePoolStats stats_;
};

}  // namespace capsa::net
