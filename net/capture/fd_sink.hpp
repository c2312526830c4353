#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/error.hpp>
#include <cstddef>
#include <net/capture/sink.hpp>
#include <optional>
#include <vector>

namespace capsa::net {

/// A file, or a pipe to a program that shows what goes on, with a buffer that bounds what a slow
/// one costs. Single-threaded. Whoever runs it ignores or blocks SIGPIPE.
class FdSink final : public CaptureSink {
 public:
  static constexpr std::size_t kDefaultBuffer = std::size_t{1} << 20;

  /// `fd` is made non-blocking. `buffer_bytes` is allocated here, and nothing later.
  explicit FdSink(UniqueFd fd, std::size_t buffer_bytes = kDefaultBuffer);
  FdSink(const FdSink&) = delete;
  FdSink& operator=(const FdSink&) = delete;
  /// Writes what it can without waiting.
  ~FdSink() override;

  /// False where there is no room, or after an error.
  bool write(std::span<const std::byte> bytes) override;

  int fd() const noexcept { return fd_.get(); }
  /// There are bytes that wait: whoever watches the fd calls on_writable() when it is.
  bool wants_write() const noexcept { return first_ < buffer_.size() && !error_; }
  void on_writable() { flush(); }
  /// Writes what waits, as far as that goes; true where nothing is left.
  bool flush();
  /// Why writing ended: no space (ResourceExhausted), no reader, or what else the kernel said.
  const std::optional<error>& failure() const noexcept { return error_; }

 private:
  UniqueFd fd_;
  std::size_t capacity_;
  std::vector<std::byte> buffer_;
  std::size_t first_ = 0;  // of what is not written yet
  std::optional<error> error_;
};

}  // namespace capsa::net
