#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <agent/guest/file_tasks.hpp>
#include <agent/guest/files.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace capsa::agent::guest {

namespace {

// With names of 255 bytes and link targets of PATH_MAX this stays well below a frame.
constexpr std::uint64_t kBatch = 128;

bool is_dot(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

}  // namespace

ListTask::ListTask(Reply reply, UniqueDir dir, const wire::ListDir& request)
    : reply_(reply),
      path_(request.path()),
      dir_(std::move(dir)),
      credit_(std::min(request.window(), kMaxWindow)),
      later_(reply.loop(), [this] { step(); }) {}

std::unique_ptr<Task> ListTask::begin(Reply reply, const wire::ListDir& request) {
  UniqueDir dir(::opendir(request.path().c_str()));
  if (!dir) {
    reply.fail(errno, "list " + request.path());
    return nullptr;
  }
  std::unique_ptr<ListTask> task(new ListTask(reply, std::move(dir), request));
  task->later_.schedule();
  return task;
}

void ListTask::step() {
  if (credit_ == 0 || !reply_.has_room()) return;
  wire::GuestFrame frame;
  auto& entries = *frame.mutable_entries();
  bool at_end = false;
  int failure = 0;
  for (auto left = std::min(credit_, kBatch); left > 0;) {
    errno = 0;
    const dirent* entry = ::readdir(dir_.get());
    if (entry == nullptr) {
      at_end = true;
      failure = errno;
      break;
    }
    if (is_dot(entry->d_name)) continue;
    struct stat status {};
    // Removed meanwhile: then it is not there to be listed.
    if (::fstatat(::dirfd(dir_.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
    auto& out = *entries.add_entries();
    out.set_name(entry->d_name);
    fill_stat(status, *out.mutable_stat());
    if (S_ISLNK(status.st_mode)) {
      std::array<char, PATH_MAX> target;
      const ssize_t length =
          ::readlinkat(::dirfd(dir_.get()), entry->d_name, target.data(), target.size());
      if (length > 0)
        out.mutable_stat()->set_link_target(target.data(), static_cast<std::size_t>(length));
    }
    --left;
  }
  credit_ -= static_cast<std::uint64_t>(entries.entries_size());
  if (entries.entries_size() > 0) reply_.send(frame);
  if (failure != 0) return reply_.fail(failure, "list " + path_);
  if (at_end) return reply_.done();
  later_.schedule();
}

bool ListTask::on_credit(wire::Stream stream, std::uint64_t amount) {
  credit_ = std::min(credit_ + amount, kMaxWindow);
  later_.schedule();
  return stream == wire::STREAM_OUTPUT;
}

void ListTask::on_room() {
  later_.schedule();
}

}  // namespace capsa::agent::guest
