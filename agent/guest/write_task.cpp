#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <agent/guest/file_tasks.hpp>
#include <agent/guest/files.hpp>
#include <array>
#include <cerrno>
#include <cstdlib>

namespace capsa::agent::guest {

namespace {

/// Files of /proc, /sys and the like are not content but orders to the kernel: there is nothing to
/// replace them with, and no room beside them. The numbers are of linux/magic.h.
bool is_kernels_own(const std::string& path) {
  struct statfs system {};
  if (::statfs(path.c_str(), &system) < 0) return false;
  switch (static_cast<std::uint32_t>(system.f_type)) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
      return true;
    default:
      return false;
  }
}

// A symlink's file is replaced, not the symlink; one that dangles is.
std::string resolved(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) < 0 || !S_ISLNK(status.st_mode)) return path;
  std::array<char, PATH_MAX> real;
  return ::realpath(path.c_str(), real.data()) != nullptr ? std::string(real.data()) : path;
}

int sync_dir(const std::string& path) {
  const UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return errno;
  // Some file systems cannot sync a directory and say EINVAL; they have nothing to lose then.
  return ::fsync(dir.get()) == 0 || errno == EINVAL ? 0 : errno;
}

}  // namespace

std::unique_ptr<Task> WriteTask::begin(Reply reply, const wire::WriteFile& request) {
  std::unique_ptr<WriteTask> task(new WriteTask(reply, request));
  if (const int failure = task->open_target(request); failure != 0) {
    reply.fail(failure, "write " + request.path());
    return nullptr;
  }
  task->give_credit(kFileWindow);
  return task;
}

WriteTask::~WriteTask() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

int WriteTask::open_target(const wire::WriteFile& request) {
  if (path_.empty()) return ENOENT;
  if (path_.back() == '/') return EISDIR;
  if (request.create_parents()) {
    const std::string parent = parent_of(path_);
    if (const int failure = make_dir(parent, true, 0755); failure != 0) return failure;
  }
  path_ = resolved(path_);
  struct stat status {};
  const bool exists = ::stat(path_.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) return errno;
  if (exists && S_ISDIR(status.st_mode)) return EISDIR;
  // A device takes the bytes itself; a pipe or socket has nobody to wait for its reader here.
  if (exists && (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))) {
    sync_ = false;
    return open_in_place(O_NONBLOCK | O_NOCTTY);
  }
  if (exists && !S_ISREG(status.st_mode)) return EINVAL;
  if (exists && is_kernels_own(path_)) {
    sync_ = false;
    return open_in_place(O_TRUNC);
  }

  const mode_t mode =
      request.has_mode() ? request.mode() & 07777 : (exists ? status.st_mode & 07777 : 0644);
  const int failure = request.append() ? open_in_place(O_CREAT | O_APPEND) : open_temporary();
  if (failure != 0) return failure;
  // Owner before mode: chown(2) clears set-id bits. Who may not give files away keeps them.
  if (exists && !request.append() && ::fchown(fd_.get(), status.st_uid, status.st_gid) < 0 &&
      errno != EPERM)
    return errno;
  if (!exists || !request.append() || request.has_mode())
    if (::fchmod(fd_.get(), mode) < 0) return errno;
  return 0;
}

int WriteTask::open_in_place(int flags) {
  fd_.reset(::open(path_.c_str(), O_WRONLY | O_CLOEXEC | flags, 0600));
  return fd_ ? 0 : errno;
}

int WriteTask::open_temporary() {
  // In the same directory: rename(2) replaces only within one file system.
  std::string name = parent_of(path_) + "/.capsa-write-XXXXXX";
  fd_.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd_) return errno;
  temporary_ = std::move(name);
  return 0;
}

void WriteTask::give_credit(std::uint64_t amount) {
  credit_ += amount;
  wire::GuestFrame frame;
  frame.mutable_credit()->set_stream(wire::STREAM_INPUT);
  frame.mutable_credit()->set_amount(amount);
  reply_.send(frame);
}

bool WriteTask::on_data(wire::Stream stream, const std::string& bytes) {
  if (stream != wire::STREAM_INPUT || bytes.size() > credit_) return false;
  credit_ -= bytes.size();
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t put = ::write(fd_.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      reply_.fail(errno, "write " + path_);
      return true;
    }
    done += static_cast<std::size_t>(put);
  }
  taken_ += bytes.size();
  if (taken_ >= kFileWindow / 4) give_credit(std::exchange(taken_, 0));
  return true;
}

bool WriteTask::on_eof(wire::Stream stream) {
  if (stream != wire::STREAM_INPUT) return false;
  if (const int failure = complete(); failure != 0)
    reply_.fail(failure, "write " + path_);
  else
    reply_.done();
  return true;
}

int WriteTask::complete() {
  // The bytes must be on disk before the name points to them, and the name before we say done.
  if (sync_ && ::fsync(fd_.get()) < 0) return errno;
  if (temporary_.empty()) return 0;
  if (::rename(temporary_.c_str(), path_.c_str()) < 0) return errno;
  temporary_.clear();
  return sync_ ? sync_dir(parent_of(path_)) : 0;
}

}  // namespace capsa::agent::guest
