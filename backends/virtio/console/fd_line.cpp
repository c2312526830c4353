#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <backends/virtio/console/fd_line.hpp>
#include <cerrno>
#include <utility>

namespace capsa::virtio::console {

namespace {

// Pieces for one call of the kernel. A page each is what drivers give: 256 KiB, more than a socket
// takes at once.
constexpr std::size_t kPiecesPerCall = 64;

bool is_socket(int fd) {
  struct stat status = {};
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

/// Straight from guest memory: the kernel does the copying. A socket whose peer is gone must not
/// kill us by SIGPIPE; terminals have no such signal.
ssize_t write_some(int fd, bool socket, std::span<iovec> pieces) {
  ssize_t written = 0;
  do {
    if (socket) {
      msghdr message = {};
      message.msg_iov = pieces.data();
      message.msg_iovlen = pieces.size();
      written = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      written = ::writev(fd, pieces.data(), static_cast<int>(pieces.size()));
    }
  } while (written < 0 && errno == EINTR);
  return written;
}

}  // namespace

FdLine::FdLine(Loop& loop, UniqueFd fd, PortIndex port)
    : loop_(loop), fd_(std::move(fd)), port_(port), socket_(is_socket(fd_.get())) {}

FdLine::~FdLine() {
  stop_watching();
}

void FdLine::attach(std::weak_ptr<ConsoleDevice> device) {
  device_ = std::move(device);
  if (!fd_ || watched_) return;
  watched_ = true;
  interest_ = EPOLLIN;
  loop_.watch(fd_.get(), interest_, [this](std::uint32_t events) { ready(events); });
}

// -- from the guest

std::size_t FdLine::output(PortIndex port, std::span<const std::span<const std::byte>> pieces,
                           std::size_t total) {
  if (port != port_ || ended_) return total;
  std::size_t taken = 0;
  while (!pieces.empty()) {
    std::array<iovec, kPiecesPerCall> vector;
    const auto some = pieces.first(std::min(pieces.size(), vector.size()));
    std::size_t wanted = 0;
    for (std::size_t i = 0; i < some.size(); ++i) {
      // The kernel only reads from it.
      vector[i] = {const_cast<std::byte*>(some[i].data()), some[i].size()};
      wanted += some[i].size();
    }
    const ssize_t written = write_some(fd_.get(), socket_, std::span(vector).first(some.size()));
    if (written < 0 && errno != EAGAIN) {
      // Nobody reads any more. Whether somebody writes is the loop's to tell.
      drop_output();
      return total;
    }
    if (written > 0) taken += static_cast<std::size_t>(written);
    if (written < 0 || static_cast<std::size_t>(written) < wanted) {
      blocked_ = true;
      update();
      return taken;
    }
    pieces = pieces.subspan(some.size());
  }
  return taken;
}

void FdLine::go_on_later() {
  // Behind everything else that this loop has to do now.
  loop_.post([device = device_] {
    if (const auto alive = device.lock()) alive->process_more();
  });
}

// -- to the guest

void FdLine::input_room(PortIndex port) {
  if (port != port_) return;
  if (!hand_on()) return;
  // A descriptor that has hung up is not watched any more; what is left in it is bounded.
  while (hung_up_ && reads_ && pending_.empty())
    read_on();
  update();
}

/// One buffer, then it is the turn of whoever shares the loop.
void FdLine::read_on() {
  const ssize_t count = ::read(fd_.get(), buffer_.data(), buffer_.size());
  if (count > 0) {
    pending_ = std::span<const std::byte>(buffer_).first(static_cast<std::size_t>(count));
    hand_on();
    return;
  }
  if (count < 0 && errno == EINTR) return;
  if (count < 0 && errno == EAGAIN && !hung_up_) return;
  reads_ = false;
  // A terminal nobody has open any more answers EIO.
  if (count < 0) hang_up();
}

/// True where nothing waits for the guest any more.
bool FdLine::hand_on() {
  if (pending_.empty()) return true;
  const auto device = device_.lock();
  if (!device) return false;
  // Not emptied before the call is over: it may come back here by output() and update().
  const std::size_t taken = device->input(port_, pending_);
  pending_ = pending_.subspan(taken);
  return pending_.empty();
}

// -- the descriptor

void FdLine::ready(std::uint32_t events) {
  const bool hung_up = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (!hung_up && (events & EPOLLOUT) != 0 && std::exchange(blocked_, false)) {
    if (const auto device = device_.lock()) device->resume_output(port_);
  }
  if ((events & EPOLLIN) != 0 && reads_ && pending_.empty()) read_on();
  if (hung_up) {
    hang_up();
    // What is left to read comes now, or as the guest gives room.
    while (reads_ && pending_.empty())
      read_on();
  }
  update();
}

void FdLine::drop_output() {
  if (std::exchange(ended_, true)) return;
  blocked_ = false;
  if (const auto device = device_.lock()) device->close(port_);
}

/// The other end is gone. What it wrote may still be read.
void FdLine::hang_up() {
  hung_up_ = true;
  drop_output();
  // Else the loop would call for ever: epoll(7) reports a hang-up whether it is asked for or not.
  stop_watching();
}

void FdLine::stop_watching() {
  if (std::exchange(watched_, false)) loop_.unwatch(fd_.get());
}

void FdLine::update() {
  if (ended_ && !reads_) {
    stop_watching();
    fd_.reset();
  }
  if (!watched_) return;
  const std::uint32_t interest =
      (reads_ && pending_.empty() ? EPOLLIN : 0U) | (blocked_ ? EPOLLOUT : 0U);
  if (interest != std::exchange(interest_, interest)) loop_.rearm(fd_.get(), interest);
}

}  // namespace capsa::virtio::console
