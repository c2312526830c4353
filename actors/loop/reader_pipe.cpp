#include <actors/loop/reader_pipe.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace capsa::loop {

namespace {
// Reported whether asked for or not; but a loop does not look at an fd of which nothing is asked.
constexpr std::uint32_t kReaderGone = EPOLLERR;
}  // namespace

void ReaderPipe::watch(std::function<void(bool gone)> on_event) {
  loop_.watch(fd_.get(), kReaderGone, [this, on_event = std::move(on_event)](std::uint32_t events) {
    const bool gone = (events & EPOLLERR) != 0;
    if (!gone) loop_.rearm(fd_.get(), kReaderGone);
    on_event(gone);
  });
}

std::size_t ReaderPipe::write(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size() && !gone_) {
    const auto n = ::write(fd_.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      loop_.rearm(fd_.get(), kReaderGone | EPOLLOUT);
      break;
    }
    if (n < 0)
      gone_ = true;
    else
      done += static_cast<std::size_t>(n);
  }
  return done;
}

void ReaderPipe::close() {
  if (!fd_) return;
  loop_.unwatch(fd_.get());
  fd_.reset();
}

}  // namespace capsa::loop
