#pragma once

#include <capsa/cluster.hpp>
#include <capsa/sandbox.hpp>
#include <capsa/vm.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace capsa {

enum class LogLevel : std::uint8_t { Trace, Debug, Info, Warning, Error, Off };

/// One line of the log.
struct LogRecord {
  LogLevel level = LogLevel::Info;
  std::string_view component;  ///< "vm", "qemu", "vsock", …
  std::string_view event;      ///< a stable id, e.g. "vm.started"
  std::string message;         ///< with the VM's name where there is one
};

struct RuntimeOptions {
  /// Threads that run control actors; 0: one per CPU, 4 at most. Ignored on a borrowed system.
  unsigned scheduler_threads = 0;
  /// Threads that carry devices; all devices of a VM are on one of them.
  unsigned io_loops = 1;
  /// Threads for file operations of shares, which may block.
  unsigned file_threads = 2;
  /// Where sockets and pid files live; empty: $XDG_RUNTIME_DIR/capsa or a private directory.
  std::filesystem::path runtime_dir;
  /// Empty: $CAPSA_QEMU, else qemu-system-x86_64 in PATH.
  std::filesystem::path qemu;
  LogLevel log_level = LogLevel::Warning;
  /// Empty: lines on standard error.
  std::function<void(const LogRecord&)> log;
  /// How long shutdown() waits for what is left before it names it in the log and goes on.
  std::chrono::milliseconds shutdown_deadline = std::chrono::seconds(10);
};

/// Everything that VMs share: threads, loops, the runtime directory. Copyable handle; thread-safe.
/// Most programs use the default one through Capsa.
class Runtime {
 public:
  /// Starts threads and removes what dead programs left in the runtime directory. Throws
  /// capsa::error where the runtime directory cannot be had.
  explicit Runtime(RuntimeOptions options = {});

  VmBuilder vm(LinuxDirectBootConfig boot) const { return {impl_, std::move(boot)}; }
  SandboxBuilder sandbox() const { return SandboxBuilder(impl_); }

  /// A named network for VMs of this runtime, made where there is none of this name. Throws
  /// capsa::error: InvalidConfig for a configuration that is not valid, or not the one that the
  /// cluster has.
  Cluster cluster(std::string name, const ClusterConfig& config) const;
  /// As it is; with the defaults of ClusterConfig where it is named for the first time.
  Cluster cluster(std::string name) const;

  /// Kills every VM, answers every pending future and joins the threads; the callback thread last,
  /// when it has run all continuations and handlers that this made due, so none of them may wait
  /// for whoever calls this. Inside one of them it can be called too: that thread then ends later.
  /// Later calls fail with RuntimeShutdown or NotRunning. Also done when the last handle of
  /// anything of this runtime is dropped.
  void shutdown();

  /// VMs that have something on the host now.
  std::size_t live_vms() const;

  explicit Runtime(std::shared_ptr<detail::RuntimeImpl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<detail::RuntimeImpl>& impl() const noexcept { return impl_; }

 private:
  std::shared_ptr<detail::RuntimeImpl> impl_;
};

/// The library on its default runtime, which starts at the first use and ends with the program.
class Capsa {
 public:
  static Runtime& runtime();
  static VmBuilder vm(LinuxDirectBootConfig boot) { return runtime().vm(std::move(boot)); }
  static Cluster cluster(std::string name) { return runtime().cluster(std::move(name)); }
  static Cluster cluster(std::string name, const ClusterConfig& config) {
    return runtime().cluster(std::move(name), config);
  }
  static SandboxBuilder sandbox() { return runtime().sandbox(); }
};

}  // namespace capsa
