#pragma once

#include <cstddef>
#include <net/frame_batch.hpp>
#include <utility>
#include <vector>

namespace capsa::virtio::nic {

/// At most so many frames, in order. Allocates once.
class FrameQueue {
 public:
  explicit FrameQueue(std::size_t capacity) : frames_(capacity) {}

  bool empty() const noexcept { return count_ == 0; }
  bool full() const noexcept { return count_ == frames_.size(); }
  std::size_t size() const noexcept { return count_; }
  net::Frame& front() noexcept { return frames_[first_]; }
  /// Only where it is not full.
  void push(net::Frame frame) noexcept {
    frames_[(first_ + count_++) % frames_.size()] = std::move(frame);
  }
  void pop_front() noexcept {
    frames_[first_] = net::Frame();
    first_ = (first_ + 1) % frames_.size();
    --count_;
  }
  void clear() noexcept {
    while (!empty())
      pop_front();
  }

 private:
  std::vector<net::Frame> frames_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace capsa::virtio::nic
