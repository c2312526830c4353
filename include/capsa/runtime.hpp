#pragma once

#include <capsa/cluster.hpp>
#include <capsa/pool.hpp>
#include <capsa/sandbox.hpp>
#include <capsa/vm.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace capsa {

/// How much a line of the log matters, least first; Off only as RuntimeOptions::log_level.
enum class LogLevel : std::uint8_t { Trace, Debug, Info, Warning, Error, Off };

/// One line of the log. What the views name is there until the function that gets it returns.
struct LogRecord {
  LogLevel level = LogLevel::Info;  ///< never below RuntimeOptions::log_level
  std::string_view component;       ///< "vm", "network", "runtime", …
  std::string_view event;           ///< a stable id, e.g. "vm.status"
  std::string_view vm;              ///< the name of the VM that it is about; empty: of none
  std::string message;              ///< for people; its wording may change
};

/// How a runtime is set up, once. Of loops and file threads there are 1 to 64, whatever is asked
/// for.
struct RuntimeOptions {
  /// Threads that run control actors; 0: one per CPU, 4 at most. Ignored on a borrowed system.
  unsigned scheduler_threads = 0;
  /// Threads that carry devices; all devices of a VM are on one of them.
  unsigned io_loops = 1;
  /// Threads for file operations of shares, which may block.
  unsigned file_threads = 2;
  /// Where sockets and pid files live; empty: $XDG_RUNTIME_DIR/capsa or a private directory.
  std::filesystem::path runtime_dir;
  /// Where overlays of disks grow, in files without a name that go with the VM, whatever becomes of
  /// the program. Empty: $TMPDIR, else /var/tmp.
  std::filesystem::path scratch_dir;
  /// Empty: $CAPSA_QEMU, else qemu-system-x86_64 in PATH.
  std::filesystem::path qemu;
  LogLevel log_level = LogLevel::Warning;  ///< what matters less is not logged
  /// Called from any thread, several at once. Empty: lines on standard error.
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

  ///@{
  /// A VM, by a chain of calls that ends with build().
  VmBuilder vm(LinuxDirectBootConfig boot) const { return {impl_, std::move(boot)}; }
  VmBuilder vm(UefiBootConfig boot) const { return {impl_, std::move(boot)}; }
  ///@}
  /// A VM of the prepared guest that runs one command; GuestNotPrepared from build() without one.
  SandboxBuilder sandbox() const { return SandboxBuilder(impl_); }
  ///@{
  /// VMs that have booted before they are needed.
  PoolBuilder pool(LinuxDirectBootConfig boot) const { return {impl_, std::move(boot)}; }
  PoolBuilder pool(UefiBootConfig boot) const { return {impl_, std::move(boot)}; }
  PoolBuilder pool(SandboxConfig sandbox) const { return {impl_, std::move(sandbox)}; }
  ///@}

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

  /// What the runtime and its VMs do and use, in Prometheus' text format (version 0.0.4): ready to
  /// be what an HTTP server answers to a scrape. A VM is told by the labels `vm`, its name, and
  /// `id`, as names need not be unique; one that does not answer within 2 s is left out and counted
  /// in capsa_vm_scrape_failures. RuntimeShutdown after shutdown().
  future<std::string> metrics() const;

  /// For this library: what is behind the handle. See actors::runtime_on().
  ///@{
  explicit Runtime(std::shared_ptr<detail::RuntimeImpl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<detail::RuntimeImpl>& impl() const noexcept { return impl_; }
  ///@}

 private:
  std::shared_ptr<detail::RuntimeImpl> impl_;
};

/// The library on its default runtime, which starts at the first use and ends with the program.
class Capsa {
 public:
  /// Made at the first call, of default RuntimeOptions; throws what Runtime's constructor throws.
  static Runtime& runtime();

  ///@{
  /// As Runtime's function of that name.
  static VmBuilder vm(LinuxDirectBootConfig boot) { return runtime().vm(std::move(boot)); }
  static Cluster cluster(std::string name) { return runtime().cluster(std::move(name)); }
  static Cluster cluster(std::string name, const ClusterConfig& config) {
    return runtime().cluster(std::move(name), config);
  }
  static VmBuilder vm(UefiBootConfig boot) { return runtime().vm(std::move(boot)); }
  static SandboxBuilder sandbox() { return runtime().sandbox(); }
  static PoolBuilder pool(LinuxDirectBootConfig boot) { return runtime().pool(std::move(boot)); }
  static PoolBuilder pool(UefiBootConfig boot) { return runtime().pool(std::move(boot)); }
  static PoolBuilder pool(SandboxConfig sandbox) { return runtime().pool(std::move(sandbox)); }
  ///@}
};

}  // namespace capsa
