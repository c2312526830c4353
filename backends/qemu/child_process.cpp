#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <backends/qemu/child_process.hpp>
#include <cerrno>
#include <utility>

namespace capsa::qemu {
namespace {

// Waits for a child by descriptor. Nothing where it still runs and `options` has WNOHANG.
std::optional<ExitStatus> wait_for(int pidfd, int options) {
  siginfo_t info{};
  int failed = 0;
  do {
    failed = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | options);
  } while (failed != 0 && errno == EINTR);
  // ECHILD: the host program ignores SIGCHLD, or waits for any child and got ours.
  if (failed != 0) return ExitStatus{false, -1};
  if (info.si_pid == 0) return std::nullopt;
  return ExitStatus{info.si_code != CLD_EXITED, info.si_status};
}

}  // namespace

std::string ExitStatus::describe() const {
  if (value < 0) return "unknown exit status";
  return (signaled ? "killed by signal " : "exit status ") + std::to_string(value);
}

ChildProcess::ChildProcess(pid_t pid, UniqueFd pidfd, UniqueFd errors,
                           std::shared_ptr<Reaper> reaper)
    : pid_(pid), pidfd_(std::move(pidfd)), errors_(std::move(errors)), reaper_(std::move(reaper)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pidfd_(std::move(other.pidfd_)),
      errors_(std::move(other.errors_)),
      reaper_(std::move(other.reaper_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ == 0) return;
  kill();
  // Giving the memory of a machine back takes the kernel a while; not on a loop's thread.
  if (!reaper_->adopt(pid_, pidfd_)) wait_for(pidfd_.get(), 0);
}

void ChildProcess::kill() noexcept {
  if (pid_ != 0) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

std::optional<ExitStatus> ChildProcess::try_reap() {
  if (pid_ == 0) return std::nullopt;
  auto status = wait_for(pidfd_.get(), WNOHANG);
  if (status) pid_ = 0;
  return status;
}

}  // namespace capsa::qemu
