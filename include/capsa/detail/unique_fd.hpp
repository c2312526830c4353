#pragma once

#include <unistd.h>

#include <utility>

namespace capsa {

/// Owns a file descriptor and closes it. Movable, not copyable.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}  ///< takes it; -1 for none
  ///@{
  /// Leaves the other one empty; what this one had is closed.
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ///@}
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  /// -1 where there is none. It stays this object's.
  int get() const noexcept { return fd_; }
  /// Whether there is one.
  explicit operator bool() const noexcept { return fd_ >= 0; }
  /// Gives it to the caller, who closes it.
  int release() noexcept { return std::exchange(fd_, -1); }
  /// Closes it, and takes another one.
  void reset(int fd = -1) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) ::close(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace capsa
