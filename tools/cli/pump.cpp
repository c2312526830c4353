#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <tools/cli/pump.hpp>

namespace capsa::cli {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

/// False once cancelled.
bool wait_for_input(int fd, int cancel) {
  std::array<pollfd, 2> fds = {pollfd{fd, POLLIN, 0}, pollfd{cancel, POLLIN, 0}};
  while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
  }
  return fds[1].revents == 0;
}

void run(int fd, int cancel, const std::function<bool(std::string)>& take,
         const std::function<void()>& end) {
  std::string buffer(kPiece, '\0');
  while (wait_for_input(fd, cancel)) {
    const auto count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    // A descriptor that cannot be read (a terminal that is gone, a directory) has ended.
    if (count <= 0) return end();
    if (!take(buffer.substr(0, static_cast<std::size_t>(count)))) return;
  }
}

}  // namespace

Pump::Pump(int fd, const Cancel& cancel, std::function<bool(std::string)> take,
           std::function<void()> end)
    : thread_([fd, cancel = cancel.fd(), take = std::move(take), end = std::move(end)] {
        run(fd, cancel, take, end);
      }) {}

}  // namespace capsa::cli
