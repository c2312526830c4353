#include <fcntl.h>
#include <unistd.h>

#include <agent/guest/file_tasks.hpp>
#include <agent/guest/files.hpp>
#include <cerrno>
#include <cstring>

namespace capsa::agent::guest {

namespace {

constexpr int kStepsPerTurn = 256;
// Each level holds a descriptor and a buffer of 32 KiB.
constexpr std::size_t kMaxDepth = 2048;
// A directory that changes while it is read may hide an entry once; one that somebody keeps
// filling is not ours to win.
constexpr unsigned kMaxRetries = 8;

UniqueDir open_dir_at(int dir, const char* name) {
  UniqueFd fd(::openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return nullptr;
  UniqueDir opened(::fdopendir(fd.get()));
  if (opened) fd.release();
  return opened;
}

}  // namespace

RemoveTask::RemoveTask(Reply reply, std::string path)
    : reply_(reply), path_(std::move(path)), later_(reply.loop(), [this] { step(); }) {}

std::unique_ptr<Task> RemoveTask::begin(Reply reply, const wire::Remove& request) {
  std::string path = request.path();
  while (path.size() > 1 && path.back() == '/')
    path.pop_back();
  struct stat status {};
  int failure = ::lstat(path.c_str(), &status) < 0 ? errno : 0;
  if (failure == 0 && (!request.recursive() || !S_ISDIR(status.st_mode))) {
    failure = remove_one(path);
    failure == 0 ? reply.done() : reply.fail(failure, "remove " + path);
    return nullptr;
  }
  std::unique_ptr<RemoveTask> task(new RemoveTask(reply, path));
  struct stat parent {};
  if (failure == 0 && ::stat(parent_of(path).c_str(), &parent) < 0) failure = errno;
  // The root, or the root of a mount: its contents may be anybody's.
  if (failure == 0 && (path == "/" || parent.st_dev != status.st_dev)) failure = EBUSY;
  UniqueDir top;
  if (failure == 0 && !(top = open_dir_at(AT_FDCWD, path.c_str()))) failure = errno;
  if (failure != 0) {
    reply.fail(failure, "remove " + path);
    return nullptr;
  }
  task->device_ = status.st_dev;
  task->levels_.push_back({std::move(top), path});
  task->later_.schedule();
  return task;
}

void RemoveTask::step() {
  for (int i = 0; i < kStepsPerTurn && !levels_.empty(); ++i) {
    const int failure = step_once();
    if (failure == 0) continue;
    std::string where;
    for (const auto& level : levels_)
      where += (where.empty() ? "" : "/") + level.name;
    return reply_.fail(failure, "remove " + where);
  }
  levels_.empty() ? reply_.done() : later_.schedule();
}

int RemoveTask::step_once() {
  DIR* dir = levels_.back().dir.get();
  errno = 0;
  const dirent* entry = ::readdir(dir);
  if (entry == nullptr) return errno != 0 ? errno : leave();
  if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) return 0;
  return remove_entry(::dirfd(dir), entry->d_name);
}

int RemoveTask::remove_entry(int dir, const char* name) {
  if (::unlinkat(dir, name, 0) == 0 || errno == ENOENT) return 0;
  const int failure = errno;
  struct stat status {};
  if (::fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISDIR(status.st_mode)) return failure;
  if (levels_.size() >= kMaxDepth) return ENAMETOOLONG;
  std::string kept = name;
  auto opened = open_dir_at(dir, name);
  if (!opened) return errno;
  // Looked at once it is open: what the name says may change any time.
  if (::fstat(::dirfd(opened.get()), &status) < 0) return errno;
  if (status.st_dev != device_) return EBUSY;
  levels_.push_back({std::move(opened), std::move(kept)});
  return 0;
}

int RemoveTask::leave() {
  auto& level = levels_.back();
  const int above = levels_.size() > 1 ? ::dirfd(levels_[levels_.size() - 2].dir.get()) : AT_FDCWD;
  if (::unlinkat(above, level.name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) {
    if (errno != ENOTEMPTY || ++level.retries > kMaxRetries) return errno;
    ::rewinddir(level.dir.get());
    return 0;
  }
  levels_.pop_back();
  return 0;
}

}  // namespace capsa::agent::guest
