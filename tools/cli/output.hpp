#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <functional>
#include <string_view>

namespace capsa::cli {

/// Ends waits of other threads, once and for all. Thread-safe.
class Cancel {
 public:
  Cancel();
  void cancel() const;
  /// Readable from cancel() on.
  int fd() const noexcept { return fd_.get(); }

 private:
  UniqueFd fd_;
};

/// Writes what a guest prints to one of our descriptors, whatever that is, in blocking mode or not.
/// A reader that does not read holds write() back, and with it the guest's process, until cancel.
class Output {
 public:
  /// `on_failure` gets errno(3), once, on the writing thread: EPIPE where nobody reads any more.
  /// What is written after a failure or a cancel is dropped.
  Output(int fd, const Cancel& cancel, std::function<void(int)> on_failure);

  void write(std::string_view bytes);

 private:
  bool wait_for_room() const;

  int fd_;
  const Cancel& cancel_;
  std::function<void(int)> on_failure_;
  std::size_t most_at_once_;
  bool over_ = false;
};

}  // namespace capsa::cli
