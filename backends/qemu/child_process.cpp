#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <backends/qemu/child_process.hpp>
#include <backends/runtime_dir/process_identity.hpp>
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

void remove_pid_file(const std::filesystem::path& file, pid_t reaped) noexcept {
  if (file.empty()) return;
  std::array<char, 64> text{};
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  const auto length = opened ? ::read(opened.get(), text.data(), text.size()) : -1;
  if (length < 0) return;
  // One that names nobody is of a child that was killed while it wrote.
  const auto named = parse_pid_file({text.data(), static_cast<std::size_t>(length)});
  if (!named || named->pid == reaped) ::unlink(file.c_str());
}

ChildProcess::ChildProcess(Unreaped child, UniqueFd errors, std::shared_ptr<Reaper> reaper)
    : child_(std::move(child)), errors_(std::move(errors)), reaper_(std::move(reaper)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : child_(std::move(other.child_)),
      errors_(std::move(other.errors_)),
      reaper_(std::move(other.reaper_)) {
  other.child_.pid = 0;
}

ChildProcess::~ChildProcess() {
  if (child_.pid == 0) return;
  kill();
  // Giving the memory of a machine back takes the kernel a while; not on a loop's thread.
  if (reaper_->adopt(child_)) return;
  wait_for(child_.pidfd.get(), 0);
  remove_pid_file(child_.pid_file, child_.pid);
}

void ChildProcess::kill() noexcept {
  if (child_.pid != 0) ::syscall(SYS_pidfd_send_signal, child_.pidfd.get(), SIGKILL, nullptr, 0);
}

void ChildProcess::terminate() noexcept {
  if (child_.pid != 0) ::syscall(SYS_pidfd_send_signal, child_.pidfd.get(), SIGTERM, nullptr, 0);
}

std::optional<ExitStatus> ChildProcess::try_reap() {
  if (child_.pid == 0) return std::nullopt;
  auto status = wait_for(child_.pidfd.get(), WNOHANG);
  if (status) remove_pid_file(child_.pid_file, std::exchange(child_.pid, 0));
  return status;
}

}  // namespace capsa::qemu
