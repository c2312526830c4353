#pragma once

#include <backends/qemu/child_process.hpp>
#include <capsa/loop.hpp>
#include <cstddef>
#include <functional>
#include <string>

namespace capsa::qemu {

/// Watches a child on a loop: keeps the tail of what it writes to standard error, and tells when it
/// has ended, once it is reaped and all it wrote is read. All on the loop's thread. Destruction
/// kills the child and does not wait.
class ChildMonitor {
 public:
  /// Error messages are a few lines; a child that floods us costs no more than this.
  static constexpr std::size_t kKeptErrors = std::size_t{8} << 10;

  using Exited = std::function<void(ExitStatus)>;

  /// `exited` may destroy the monitor.
  ChildMonitor(Loop& loop, ChildProcess child, Exited exited);
  ChildMonitor(const ChildMonitor&) = delete;
  ChildMonitor& operator=(const ChildMonitor&) = delete;
  ~ChildMonitor();

  pid_t pid() const noexcept { return child_.pid(); }
  void kill() noexcept { child_.kill(); }
  void terminate() noexcept { child_.terminate(); }
  /// The last bytes of standard error.
  const std::string& errors() const noexcept { return errors_; }

 private:
  void read_errors(int rounds);
  void take_exit();
  void unwatch();

  Loop& loop_;
  ChildProcess child_;
  Exited exited_;
  std::string errors_;
  bool errors_watched_ = true;
  bool exit_watched_ = true;
};

}  // namespace capsa::qemu
