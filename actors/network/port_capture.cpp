#include <sys/epoll.h>

#include <actors/network/port_capture.hpp>

namespace capsa::network {

Capture::Capture(Loop& loop, UniqueFd file, const std::string& port)
    : loop_(loop),
      sink_(std::move(file)),
      writer_(sink_, {}, loop.now(), std::chrono::system_clock::now()),
      port_(writer_, port) {}

Capture::~Capture() {
  if (watched_) loop_.unwatch(sink_.fd());
  writer_.close(loop_.now());
}

void Capture::flush() {
  if (watched_ || !sink_.wants_write()) return;
  watched_ = true;
  loop_.watch(sink_.fd(), EPOLLOUT, [this](std::uint32_t) {
    sink_.on_writable();
    if (sink_.wants_write()) return;
    watched_ = false;
    loop_.unwatch(sink_.fd());
  });
}

}  // namespace capsa::network
