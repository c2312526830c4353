#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <backends/qemu/child_monitor.hpp>
#include <cerrno>
#include <utility>

namespace capsa::qemu {
namespace {

constexpr std::size_t kChunk = 4096;
// A pipe of the usual size (64 KiB), then it is the turn of whoever shares the loop: a child that
// writes as fast as we read must not keep it. The pipe stays ready for what is left.
constexpr int kRoundsPerWakeUp = 16;
// The largest that a child may have made its pipe (/proc/sys/fs/pipe-max-size: 1 MiB).
constexpr int kLastRounds = 256;

}  // namespace

ChildMonitor::ChildMonitor(Loop& loop, ChildProcess child, Exited exited)
    : loop_(loop), child_(std::move(child)), exited_(std::move(exited)) {
  loop_.watch(child_.errors(), EPOLLIN, [this](std::uint32_t) { read_errors(kRoundsPerWakeUp); });
  loop_.watch(child_.pidfd(), EPOLLIN, [this](std::uint32_t) { take_exit(); });
}

ChildMonitor::~ChildMonitor() {
  unwatch();
}

void ChildMonitor::unwatch() {
  if (std::exchange(errors_watched_, false)) loop_.unwatch(child_.errors());
  if (std::exchange(exit_watched_, false)) loop_.unwatch(child_.pidfd());
}

void ChildMonitor::read_errors(int rounds) {
  std::array<char, kChunk> chunk{};
  for (; rounds > 0; --rounds) {
    const ssize_t length = ::read(child_.errors(), chunk.data(), chunk.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return;  // nothing more now
    if (length == 0) {
      if (std::exchange(errors_watched_, false)) loop_.unwatch(child_.errors());
      return;
    }
    errors_.append(chunk.data(), static_cast<std::size_t>(length));
    if (errors_.size() > kKeptErrors) errors_.erase(0, errors_.size() - kKeptErrors);
  }
}

void ChildMonitor::take_exit() {
  const auto status = child_.try_reap();
  if (!status) return;
  // Ended, so everything it wrote is in the pipe. Its end of file is not waited for: a grandchild
  // may hold the pipe open.
  read_errors(kLastRounds);
  unwatch();
  const auto exited = std::exchange(exited_, nullptr);
  exited(*status);
}

}  // namespace capsa::qemu
