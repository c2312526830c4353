#include <limits.h>
#include <unistd.h>

#include <agent/guest/files.hpp>
#include <array>
#include <cerrno>

namespace capsa::agent::guest {

namespace {

wire::FileStat::Kind kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return wire::FileStat::REGULAR;
    case S_IFDIR:
      return wire::FileStat::DIRECTORY;
    case S_IFLNK:
      return wire::FileStat::SYMLINK;
    case S_IFCHR:
      return wire::FileStat::CHAR_DEVICE;
    case S_IFBLK:
      return wire::FileStat::BLOCK_DEVICE;
    case S_IFIFO:
      return wire::FileStat::FIFO;
    case S_IFSOCK:
      return wire::FileStat::SOCKET;
    default:
      return wire::FileStat::UNKNOWN;
  }
}

}  // namespace

void fill_stat(const struct stat& from, wire::FileStat& to) {
  to.set_kind(kind_of(from.st_mode));
  to.set_mode(from.st_mode & 07777);
  to.set_size(static_cast<std::uint64_t>(from.st_size));
  to.set_uid(from.st_uid);
  to.set_gid(from.st_gid);
  to.set_inode(from.st_ino);
  to.set_links(from.st_nlink);
  to.set_mtime_ns(from.st_mtim.tv_sec * 1'000'000'000LL + from.st_mtim.tv_nsec);
}

int stat_file(const std::string& path, bool follow, wire::FileStat& out) {
  struct stat status {};
  if ((follow ? ::stat(path.c_str(), &status) : ::lstat(path.c_str(), &status)) < 0) return errno;
  fill_stat(status, out);
  if (S_ISLNK(status.st_mode)) {
    std::array<char, PATH_MAX> target;
    const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
    if (length > 0) out.set_link_target(target.data(), static_cast<std::size_t>(length));
  }
  return 0;
}

int file_exists(const std::string& path, bool& exists) {
  struct stat status {};
  exists = ::stat(path.c_str(), &status) == 0;
  return exists || errno == ENOENT || errno == ENOTDIR ? 0 : errno;
}

int remove_one(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return 0;
  const int failure = errno;
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    return ::rmdir(path.c_str()) == 0 ? 0 : errno;
  return failure;
}

}  // namespace capsa::agent::guest
