#pragma once

#include <sys/types.h>

#include <capsa/detail/unique_fd.hpp>
#include <memory>
#include <optional>
#include <string>

namespace capsa::qemu {

/// How a process ended: by exit(3) or by a signal.
struct ExitStatus {
  bool signaled = false;
  int value = 0;  ///< exit code, or signal number; -1 where somebody else took the status

  /// "exit status 1", "killed by signal 9".
  std::string describe() const;
};

/// Takes over children whose owner has let go: they are killed already and wait to be reaped.
class Reaper {
 public:
  virtual ~Reaper() = default;
  /// From any thread. False where nobody reaps any more; the caller does it then.
  virtual bool adopt(pid_t pid, UniqueFd& pidfd) = 0;
};

/// A child of this process. Letting go of it kills it, and never blocks while its spawner lives.
class ChildProcess {
 public:
  ChildProcess(pid_t pid, UniqueFd pidfd, UniqueFd errors, std::shared_ptr<Reaper> reaper);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  pid_t pid() const noexcept { return pid_; }
  /// Readable once the process has ended (pidfd_open(2)).
  int pidfd() const noexcept { return pidfd_.get(); }
  /// What it writes to its standard error; does not block.
  int errors() const noexcept { return errors_.get(); }

  /// SIGKILL. Through the descriptor, so never to another process.
  void kill() noexcept;
  /// Its status if it has ended; gives the process number back.
  std::optional<ExitStatus> try_reap();

 private:
  pid_t pid_;
  UniqueFd pidfd_;
  UniqueFd errors_;
  std::shared_ptr<Reaper> reaper_;
};

}  // namespace capsa::qemu
