#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <backends/vhost_user/notifier.hpp>
#include <cstdint>
#include <string>

namespace capsa::vhost_user {

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
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
}

bool drain(int fd) noexcept {
  std::uint64_t count = 0;
  return ::read(fd, &count, sizeof count) == sizeof count;
}

}  // namespace capsa::vhost_user
