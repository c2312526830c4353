#pragma once

#include <sys/types.h>

#include <capsa/detail/unique_fd.hpp>
#include <filesystem>
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

/// A child as whoever reaps it needs it.
struct Unreaped {
  pid_t pid = 0;
  UniqueFd pidfd;
  std::filesystem::path pid_file;  ///< empty: none
};

/// Removes the pid file of a child that has been reaped: earlier the child may still be about to
/// make it. Leaves alone what is a later child's by now.
void remove_pid_file(const std::filesystem::path& file, pid_t reaped) noexcept;

/// Takes over children whose owner has let go: they are killed already and wait to be reaped.
class Reaper {
 public:
  virtual ~Reaper() = default;
  /// From any thread. False where nobody reaps any more: the child is still the caller's then.
  virtual bool adopt(Unreaped& child) = 0;
};

/// A child of this process, and its pid file. Letting go of it kills it, and never blocks while its
/// spawner lives.
class ChildProcess {
 public:
  ChildProcess(Unreaped child, UniqueFd errors, std::shared_ptr<Reaper> reaper);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  pid_t pid() const noexcept { return child_.pid; }
  /// Readable once the process has ended (pidfd_open(2)).
  int pidfd() const noexcept { return child_.pidfd.get(); }
  /// What it writes to its standard error; does not block.
  int errors() const noexcept { return errors_.get(); }

  /// SIGKILL. Through the descriptor, so never to another process.
  void kill() noexcept;
  /// SIGTERM, in the same way: it may end in order.
  void terminate() noexcept;
  /// Its status if it has ended; gives the process number back and removes the pid file.
  std::optional<ExitStatus> try_reap();

 private:
  Unreaped child_;  // pid 0: reaped, or moved from
  UniqueFd errors_;
  std::shared_ptr<Reaper> reaper_;
};

}  // namespace capsa::qemu
