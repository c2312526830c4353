#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace capsa::vsock {

/// Bytes in the order they came, the waiting ones always contiguous: small writes melt into large
/// packets. Holds no memory while empty, so that a thousand idle connections cost nothing. The
/// bound is the owner's to keep.
class ByteQueue {
 public:
  bool empty() const noexcept { return head_ == bytes_.size(); }
  std::size_t size() const noexcept { return bytes_.size() - head_; }
  std::span<const std::byte> front() const noexcept {
    return std::span<const std::byte>(bytes_).subspan(head_);
  }

  void append(std::span<const std::byte> bytes) {
    if (head_ > bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  /// `count` is at most size().
  void drop(std::size_t count) noexcept {
    head_ += count;
    if (empty()) clear();
  }

  void clear() noexcept {
    bytes_ = std::vector<std::byte>();
    head_ = 0;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t head_ = 0;
};

}  // namespace capsa::vsock
