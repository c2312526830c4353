#include <sys/epoll.h>

#include <backends/block/nbd_pump.hpp>
#include <utility>

namespace capsa::block {

NbdPump::NbdPump(Loop& loop, nbd_handle* handle, std::function<void()> moved)
    : loop_(loop), handle_(handle), moved_(std::move(moved)) {}

NbdPump::~NbdPump() {
  unwatch();
}

void NbdPump::unwatch() {
  if (const int fd = std::exchange(watched_, -1); fd >= 0) loop_.unwatch(fd);
}

bool NbdPump::dead() const {
  return libnbd().aio_is_dead(handle_) > 0 || libnbd().aio_is_closed(handle_) > 0;
}

void NbdPump::update() {
  const int fd = dead() ? -1 : libnbd().aio_get_fd(handle_);
  // While it connects libnbd goes from one address to the next, and closes the old socket: the new
  // one often has the same number, which is watched by nobody.
  if (watched_ != fd || !connected_) unwatch();
  if (fd < 0) return;
  connected_ = connected_ || libnbd().aio_is_connecting(handle_) == 0;
  const unsigned direction = libnbd().aio_get_direction(handle_);
  std::uint32_t events = 0;
  if ((direction & LIBNBD_AIO_DIRECTION_READ) != 0) events |= EPOLLIN;
  if ((direction & LIBNBD_AIO_DIRECTION_WRITE) != 0) events |= EPOLLOUT;
  if (watched_ < 0) {
    loop_.watch(fd, events, [this](std::uint32_t ready) { step(ready); });
    watched_ = fd;
  } else if (events != events_) {
    loop_.rearm(fd, events);
  }
  events_ = events;
}

void NbdPump::step(std::uint32_t events) {
  const unsigned direction = libnbd().aio_get_direction(handle_);
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  int outcome = 0;
  // One of them: the first may change what the machine waits for.
  if ((direction & LIBNBD_AIO_DIRECTION_READ) != 0 && ((events & EPOLLIN) != 0 || broken)) {
    outcome = libnbd().aio_notify_read(handle_);
  } else if ((direction & LIBNBD_AIO_DIRECTION_WRITE) != 0 &&
             ((events & EPOLLOUT) != 0 || broken)) {
    outcome = libnbd().aio_notify_write(handle_);
  }
  if (outcome < 0) {
    const char* const why = libnbd().get_error();
    failure_ = why != nullptr ? why : "unknown failure";
  }
  update();
  // Last, and from a copy: it may destroy us.
  const auto moved = moved_;
  moved();
}

}  // namespace capsa::block
