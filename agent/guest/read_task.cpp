#include <fcntl.h>
#include <unistd.h>

#include <agent/guest/file_tasks.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace capsa::agent::guest {

ReadTask::ReadTask(Reply reply, const wire::ReadFile& request)
    : reply_(reply),
      path_(request.path()),
      left_(request.has_length() ? request.length() : UINT64_MAX),
      credit_(std::min(request.window(), kMaxWindow)),
      later_(reply.loop(), [this] { step(); }) {}

std::unique_ptr<Task> ReadTask::begin(Reply reply, const wire::ReadFile& request) {
  std::unique_ptr<ReadTask> task(new ReadTask(reply, request));
  // Not blocking: a pipe or a terminal named by mistake must not stop the whole agent.
  task->fd_.reset(::open(request.path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  int failure = task->fd_ ? 0 : errno;
  struct stat status {};
  if (failure == 0 && ::fstat(task->fd_.get(), &status) < 0) failure = errno;
  if (failure == 0 && S_ISDIR(status.st_mode)) failure = EISDIR;
  if (failure == 0 && request.offset() > static_cast<std::uint64_t>(INT64_MAX)) failure = EINVAL;
  if (failure == 0 && request.offset() != 0 &&
      ::lseek(task->fd_.get(), static_cast<off_t>(request.offset()), SEEK_SET) < 0)
    failure = errno;
  if (failure != 0) {
    reply.fail(failure, "open " + request.path());
    return nullptr;
  }
  task->later_.schedule();
  return task;
}

void ReadTask::step() {
  if (left_ == 0) return reply_.done();
  if (credit_ == 0 || !reply_.has_room()) return;
  std::array<char, kMaxChunk> chunk;
  const auto length = std::min({left_, credit_, std::uint64_t{chunk.size()}});
  const ssize_t got = ::read(fd_.get(), chunk.data(), length);
  if (got < 0 && errno == EINTR) return later_.schedule();
  if (got < 0) return reply_.fail(errno, "read " + path_);
  if (got == 0) return reply_.done();
  left_ -= static_cast<std::uint64_t>(got);
  credit_ -= static_cast<std::uint64_t>(got);
  wire::GuestFrame frame;
  frame.mutable_data()->set_stream(wire::STREAM_OUTPUT);
  frame.mutable_data()->set_bytes(chunk.data(), static_cast<std::size_t>(got));
  reply_.send(frame);
  later_.schedule();
}

bool ReadTask::on_credit(wire::Stream stream, std::uint64_t amount) {
  credit_ = std::min(credit_ + amount, kMaxWindow);
  later_.schedule();
  return stream == wire::STREAM_OUTPUT;
}

void ReadTask::on_room() {
  later_.schedule();
}

}  // namespace capsa::agent::guest
