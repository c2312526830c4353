#include <algorithm>
#include <cstring>
#include <net/frame_batch.hpp>

namespace capsa::net {

// -- Frame

void Frame::release() noexcept {
  if (buffer_ == nullptr) return;
  // The pool may end with its last frame, but not before it has let go of its lock.
  const std::shared_ptr<FramePool> pool = buffer_->pool;
  pool->take_back(std::span(this, 1));
}

// -- FrameBatch

FrameBatch::FrameBatch(FrameBatch&& other) noexcept
    : pool_(std::move(other.pool_)),
      frames_(std::move(other.frames_)),
      first_(std::exchange(other.first_, 0)) {
  other.frames_.clear();
}

FrameBatch& FrameBatch::operator=(FrameBatch&& other) noexcept {
  FrameBatch moved(std::move(other));
  std::swap(pool_, moved.pool_);
  std::swap(frames_, moved.frames_);
  std::swap(first_, moved.first_);
  return *this;
}

FrameBatch::~FrameBatch() {
  clear();
  if (pool_) pool_->take_back(std::move(frames_));
}

bool FrameBatch::push(Frame&& frame) {
  if (!frame || full()) return false;
  frames_.push_back(std::move(frame));
  return true;
}

void FrameBatch::drop_front(std::size_t count) noexcept {
  const auto dropped = std::span(frames_).subspan(first_, count);
  // One lock for each run of frames of one pool, which usually is all of them.
  for (std::size_t at = 0; at < dropped.size();) {
    if (!dropped[at]) {
      ++at;
      continue;
    }
    const std::shared_ptr<FramePool> pool = dropped[at].buffer_->pool;
    std::size_t end = at + 1;
    while (end < dropped.size() && (!dropped[end] || dropped[end].is_of(*pool)))
      ++end;
    pool->take_back(dropped.subspan(at, end - at));
    at = end;
  }
  first_ += count;
  if (first_ < frames_.size()) return;
  frames_.clear();
  first_ = 0;
}

// -- FramePool

std::shared_ptr<FramePool> FramePool::create(std::size_t cap_bytes) {
  std::shared_ptr<FramePool> pool(new FramePool(cap_bytes));
  // So that giving back, which cannot fail, needs no memory.
  pool->free_lists_.reserve(kMaxFreeLists);
  for (std::size_t at = 0; at < kSizes.size(); ++at)
    pool->free_[at].reserve(cap_bytes / kSizes[at]);
  return pool;
}

FramePool::~FramePool() {
  trim();
}

Frame FramePool::make(std::size_t length) {
  const std::scoped_lock lock(mutex_);
  const auto at = std::lower_bound(kSizes.begin(), kSizes.end(), length);
  if (at == kSizes.end() || length < kMinFrame) {
    ++stats_.refused;
    return {};
  }
  const auto size_class = static_cast<std::size_t>(at - kSizes.begin());
  auto& free = free_[size_class];
  detail::FrameBuffer* buffer = nullptr;
  if (!free.empty()) {
    buffer = free.back();
    free.pop_back();
  } else if (make_room(*at)) {
    auto fresh = std::make_unique<detail::FrameBuffer>();
    fresh->bytes = std::make_unique_for_overwrite<std::byte[]>(*at);
    fresh->size_class = size_class;
    buffer = fresh.release();
    stats_.bytes_held += *at;
    ++stats_.allocations;
  } else {
    ++stats_.refused;
    return {};
  }
  stats_.bytes_in_use += *at;
  buffer->pool = shared_from_this();
  buffer->length = length;
  buffer->meta = {};
  return Frame(buffer);
}

Frame FramePool::make(std::span<const std::byte> bytes) {
  Frame fresh = make(bytes.size());
  if (fresh) std::memcpy(fresh.bytes().data(), bytes.data(), bytes.size());
  return fresh;
}

Frame FramePool::copy(const Frame& frame) {
  Frame fresh = make(frame.bytes());
  if (fresh) fresh.meta() = frame.meta();
  return fresh;
}

FrameBatch FramePool::batch() {
  FrameBatch batch;
  batch.pool_ = shared_from_this();
  const std::scoped_lock lock(mutex_);
  if (free_lists_.empty()) {
    batch.frames_.reserve(FrameBatch::kMaxFrames);
    ++stats_.allocations;
  } else {
    batch.frames_ = std::move(free_lists_.back());
    free_lists_.pop_back();
  }
  return batch;
}

void FramePool::trim() noexcept {
  const std::scoped_lock lock(mutex_);
  for (std::size_t at = 0; at < kSizes.size(); ++at)
    free_buffers(at);
  free_lists_.clear();
}

FramePoolStats FramePool::stats() const {
  const std::scoped_lock lock(mutex_);
  return stats_;
}

/// Free buffers of a size that nobody asks for must not keep others from being made.
bool FramePool::make_room(std::size_t bytes) noexcept {
  for (std::size_t at = kSizes.size(); at > 0 && stats_.bytes_held + bytes > cap_; --at)
    free_buffers(at - 1);
  return stats_.bytes_held + bytes <= cap_;
}

void FramePool::free_buffers(std::size_t size_class) noexcept {
  for (const detail::FrameBuffer* buffer : free_[size_class]) {
    stats_.bytes_held -= kSizes[size_class];
    delete buffer;
  }
  free_[size_class].clear();
}

void FramePool::take_back(std::span<Frame> frames) noexcept {
  const std::scoped_lock lock(mutex_);
  for (Frame& frame : frames) {
    detail::FrameBuffer* buffer = std::exchange(frame.buffer_, nullptr);
    if (buffer == nullptr) continue;
    // Not the last one: the caller holds the pool.
    buffer->pool.reset();
    stats_.bytes_in_use -= kSizes[buffer->size_class];
    free_[buffer->size_class].push_back(buffer);
  }
}

void FramePool::take_back(std::vector<Frame> list) noexcept {
  const std::scoped_lock lock(mutex_);
  if (list.capacity() > 0 && free_lists_.size() < kMaxFreeLists)
    free_lists_.push_back(std::move(list));
}

}  // namespace capsa::net
