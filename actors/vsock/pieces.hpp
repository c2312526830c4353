#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace capsa::vsock_units {

/// Bytes in the order they came. Small parts melt into pieces of up to kPiece: credit counts bytes
/// only, so a sender of single bytes must not cost more than one of large blocks. Large parts stay
/// as they came and are not copied. The bound is the owner's to keep.
class Pieces {
 public:
  /// One read or one packet of the largest size; what becomes one message.
  static constexpr std::size_t kPiece = std::size_t{64} * 1024;

  bool empty() const noexcept { return pieces_.empty(); }
  std::size_t bytes() const noexcept { return bytes_; }
  /// How many separate blocks of memory hold them.
  std::size_t count() const noexcept { return pieces_.size(); }
  /// What is left of the first piece. Only where there is one.
  std::string_view front() const noexcept {
    return std::string_view(pieces_.front()).substr(dropped_);
  }

  void append(std::string part) {
    if (part.empty()) return;
    bytes_ += part.size();
    if (!pieces_.empty() && pieces_.back().size() + part.size() <= kPiece)
      pieces_.back() += part;
    else
      pieces_.push_back(std::move(part));
  }

  /// `count` is at most what front() has.
  void drop(std::size_t count) noexcept {
    bytes_ -= count;
    dropped_ += count;
    if (dropped_ < pieces_.front().size()) return;
    pieces_.pop_front();
    dropped_ = 0;
  }

  void clear() noexcept {
    pieces_.clear();
    bytes_ = 0;
    dropped_ = 0;
  }

 private:
  std::deque<std::string> pieces_;
  std::size_t bytes_ = 0;
  std::size_t dropped_ = 0;  // of the first piece
};

}  // namespace capsa::vsock_units
