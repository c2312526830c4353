#pragma once

#include <sys/epoll.h>

#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <net/capture/fd_sink.hpp>

namespace capsa::network {

/// A sink whose descriptor the loop waits for while it takes no more: it may be a pipe that is read
/// slowly. On one loop.
class LoopSink {
 public:
  LoopSink(Loop& loop, UniqueFd file, std::size_t buffer_bytes = net::FdSink::kDefaultBuffer)
      : loop_(loop), sink_(std::move(file), buffer_bytes) {}
  LoopSink(const LoopSink&) = delete;
  LoopSink& operator=(const LoopSink&) = delete;
  ~LoopSink() {
    if (watched_) loop_.unwatch(sink_.fd());
  }

  net::FdSink& sink() noexcept { return sink_; }

  /// To be called behind what was written.
  void flush() {
    if (watched_ || !sink_.wants_write()) return;
    sink_.flush();
    // Not after an error either: nobody will ever take the rest.
    if (!sink_.wants_write()) return;
    watched_ = true;
    loop_.watch(sink_.fd(), EPOLLOUT, [this](std::uint32_t) {
      sink_.on_writable();
      if (sink_.wants_write()) return;
      watched_ = false;
      loop_.unwatch(sink_.fd());
    });
  }

 private:
  Loop& loop_;
  net::FdSink sink_;
  bool watched_ = false;
};

}  // namespace capsa::network
