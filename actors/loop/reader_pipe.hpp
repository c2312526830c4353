#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <cstddef>
#include <functional>
#include <string_view>

namespace capsa::loop {

/// The write end of a pipe from which a user reads, on a loop: it takes what fits, tells when there
/// is room again, and when the reader has gone. The destructor leaves the loop alone, which may be
/// gone by then: call close() while it is there.
class ReaderPipe {
 public:
  /// `fd` does not block.
  ReaderPipe(Loop& loop, UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {}
  ReaderPipe(const ReaderPipe&) = delete;
  ReaderPipe& operator=(const ReaderPipe&) = delete;

  /// From now on `on_event` is called: with true once the reader has gone, with false when a write
  /// that did not fit can go on. It may destroy this. The loop owns it.
  void watch(std::function<void(bool gone)> on_event);
  /// How much fitted.
  std::size_t write(std::string_view bytes);
  /// A write has found no reader.
  bool gone() const noexcept { return gone_; }
  /// End of file for the reader. Idempotent.
  void close();

 private:
  Loop& loop_;
  UniqueFd fd_;
  bool gone_ = false;
};

}  // namespace capsa::loop
