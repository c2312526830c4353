#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <tools/cli/output.hpp>

namespace capsa::cli {
namespace {

/// A pipe that poll(2) calls writable takes PIPE_BUF bytes without blocking, and no more for sure;
/// a file never blocks for a reader.
std::size_t most_at_once(int fd) {
  struct stat info {};
  const bool is_file = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  return is_file ? SSIZE_MAX : PIPE_BUF;
}

}  // namespace

Cancel::Cancel() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void Cancel::cancel() const {
  ::eventfd_write(fd_.get(), 1);
}

Output::Output(int fd, const Cancel& cancel, std::function<void(int)> on_failure)
    : fd_(fd),
      cancel_(cancel),
      on_failure_(std::move(on_failure)),
      most_at_once_(most_at_once(fd)) {}

bool Output::wait_for_room() const {
  std::array<pollfd, 2> fds = {pollfd{fd_, POLLOUT, 0}, pollfd{cancel_.fd(), POLLIN, 0}};
  while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
  }
  return fds[1].revents == 0;
}

void Output::write(std::string_view bytes) {
  while (!bytes.empty() && !over_) {
    if (!wait_for_room()) {
      over_ = true;
      return;
    }
    const auto written = ::write(fd_, bytes.data(), std::min(bytes.size(), most_at_once_));
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      over_ = true;
      on_failure_(errno);
    }
  }
}

}  // namespace capsa::cli
