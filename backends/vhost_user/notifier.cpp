#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <backends/vhost_user/notifier.hpp>
#include <cerrno>
#include <cstdint>
#include <string>

namespace capsa::vhost_user {
namespace {

bool is_ready(int fd, short events) noexcept {
  pollfd wanted{fd, events, 0};
  return ::poll(&wanted, 1, 0) == 1 && (wanted.revents & events) != 0;
}

}  // namespace

result<void> adopt_notifier(int fd) {
  std::array<char, 64> target{};
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  const auto length = ::readlink(link.c_str(), target.data(), target.size());
  if (length < 0) return error_from_errno(errno, "readlink of a notifier");
  if (std::string_view(target.data(), static_cast<std::size_t>(length)) != "anon_inode:[eventfd]") {
    return error(ErrorCode::BackendFailed, "vhost-user: a notifier that is no eventfd");
  }
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return error_from_errno(errno, "fcntl of a notifier");
  }
  return {};
}

void notify(int fd) noexcept {
  // There is no write to an eventfd that says by itself that it must not block: RWF_NOWAIT is for
  // its reads only (as of Linux 6.18). What remains is a peer that clears O_NONBLOCK and fills the
  // counter between these two calls, which it can try at every interrupt. Then the device's thread
  // stands still until somebody empties the counter.
  if (!is_ready(fd, POLLOUT)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
}

}  // namespace capsa::vhost_user
