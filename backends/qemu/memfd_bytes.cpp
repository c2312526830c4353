#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <backends/qemu/memfd_bytes.hpp>
#include <cerrno>
#include <memory>
#include <set>
#include <string>

namespace capsa::qemu {

result<std::uint64_t> memfd_bytes(pid_t pid, std::string_view name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/fd";
  const auto close_directory = [](DIR* directory) { ::closedir(directory); };
  const std::unique_ptr<DIR, decltype(close_directory)> directory(::opendir(path.c_str()));
  if (!directory && errno != ENOENT)
    return error_from_errno(errno, "look at the memory of process " + std::to_string(pid));
  // proc(5): where such a descriptor leads to. A memfd's name never leads anywhere else.
  const std::string wanted = "/memfd:" + std::string(name) + " (deleted)";
  std::set<std::pair<dev_t, ino_t>> seen;  // one may be open twice
  std::uint64_t bytes = 0;
  while (const dirent* const entry = directory ? ::readdir(directory.get()) : nullptr) {
    std::array<char, 256> target{};
    const int at = ::dirfd(directory.get());
    const ssize_t length = ::readlinkat(at, entry->d_name, target.data(), target.size());
    struct stat status {};
    if (length < 0 || std::string_view(target.data(), static_cast<std::size_t>(length)) != wanted ||
        ::fstatat(at, entry->d_name, &status, 0) != 0 ||
        !seen.emplace(status.st_dev, status.st_ino).second)
      continue;
    bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  if (seen.empty()) return error(ErrorCode::NotRunning, "the machine has ended");
  return bytes;
}

}  // namespace capsa::qemu
