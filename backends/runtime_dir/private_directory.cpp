#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backends/runtime_dir/private_directory.hpp>
#include <cerrno>
#include <memory>

namespace capsa {
namespace {

// Ours are two levels deep. Deeper trees are not ours, and recursion must end.
constexpr int kMaxDepth = 16;

UniqueFd open_subdirectory(int directory, const std::string& name) {
  return UniqueFd(
      ::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool remove_contents_at_depth(int directory, std::string_view keep, int depth) {
  if (depth > kMaxDepth) return false;
  bool clean = true;
  for (const auto& name : list_directory(directory)) {
    if (name == keep) continue;
    // Never asks what it is first: unlink refuses a directory, opening one refuses a link.
    if (::unlinkat(directory, name.c_str(), 0) == 0) continue;
    const UniqueFd below = open_subdirectory(directory, name);
    if (!below || !remove_contents_at_depth(below.get(), {}, depth + 1) ||
        ::unlinkat(directory, name.c_str(), AT_REMOVEDIR) != 0)
      clean = false;
  }
  return clean;
}

void for_each_file_at_depth(int directory,
                            const std::function<void(int, const std::string&)>& found, int depth) {
  if (depth > kMaxDepth) return;
  for (const auto& name : list_directory(directory)) {
    struct stat what {};
    if (::fstatat(directory, name.c_str(), &what, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(what.st_mode)) found(directory, name);
    if (!S_ISDIR(what.st_mode)) continue;
    if (const UniqueFd below = open_subdirectory(directory, name))
      for_each_file_at_depth(below.get(), found, depth + 1);
  }
}

}  // namespace

result<UniqueFd> open_private_directory(const std::filesystem::path& directory) {
  const std::string doing = "runtime directory " + directory.string();
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return error_from_errno(errno, doing);
  UniqueFd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened) {
    // ELOOP and ENOTDIR: somebody put a link or a file there before us.
    if (errno == ELOOP || errno == ENOTDIR)
      return error(ErrorCode::PermissionDenied, doing + " is not a directory",
                   "remove it, or set XDG_RUNTIME_DIR to a directory of your own");
    return error_from_errno(errno, doing);
  }
  struct stat what {};
  if (::fstat(opened.get(), &what) != 0) return error_from_errno(errno, doing);
  if (what.st_uid != ::geteuid())
    return error(ErrorCode::PermissionDenied, doing + " belongs to another user",
                 "set XDG_RUNTIME_DIR to a directory of your own");
  if ((what.st_mode & 0077) != 0)
    return error(ErrorCode::PermissionDenied, doing + " is open to other users",
                 "chmod 700 it, or set XDG_RUNTIME_DIR to a directory of your own");
  return opened;
}

result<UniqueFd> lock_file(int directory, const std::string& name, bool wait) {
  UniqueFd file(::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return error_from_errno(errno, "lock file " + name);
  while (::flock(file.get(), wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return error_from_errno(errno, "lock " + name);
  }
  return file;
}

std::vector<std::string> list_directory(int directory) {
  std::vector<std::string> names;
  // A descriptor of its own: the position in a directory is shared by duplicates.
  UniqueFd own(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), &::closedir);
  if (!stream) return names;
  own.release();
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

bool remove_contents(int directory, std::string_view keep) {
  return remove_contents_at_depth(directory, keep, 0);
}

void for_each_file(int directory, const std::function<void(int, const std::string&)>& found) {
  for_each_file_at_depth(directory, found, 0);
}

}  // namespace capsa
