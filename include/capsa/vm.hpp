#pragma once

#include <capsa/agent.hpp>
#include <capsa/config.hpp>
#include <capsa/console.hpp>
#include <capsa/status.hpp>
#include <capsa/vm_network.hpp>
#include <capsa/vsock.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace capsa {

namespace detail {
class RuntimeImpl;
class SubscriptionImpl;
class VcpuImpl;
struct HandleAccess;
}  // namespace detail

/// How often the run loop of one vCPU had to leave its guest, by reason.
struct VcpuExits {
  std::uint64_t port = 0;          ///< the guest read or wrote an I/O port
  std::uint64_t memory = 0;        ///< the guest read or wrote a device's register
  std::uint64_t interrupted = 0;   ///< taken out by us, or by a signal
  std::uint64_t halt = 0;          ///< it had nothing to do, and KVM left the waiting to us
  std::uint64_t shutdown = 0;      ///< a CPU gave up (triple fault)
  std::uint64_t system_event = 0;  ///< it powered off, was reset or crashed, and said so to KVM
  std::uint64_t other = 0;         ///< KVM could not go on; the VM is Failed then
  friend bool operator==(const VcpuExits&, const VcpuExits&) = default;
};

/// What one vCPU has used of its host.
struct VcpuStats {
  std::chrono::nanoseconds user{0};    ///< CPU time, what the guest ran included; in steps of 10 ms
  std::chrono::nanoseconds system{0};  ///< CPU time in the kernel
  std::optional<VcpuExits> exits;      ///< on the KVM backend
  friend bool operator==(const VcpuStats&, const VcpuStats&) = default;
};

/// One virtual CPU of a running VM. Copyable handle; thread-safe; NotRunning once the VM has ended.
class Vcpu {
 public:
  /// From 0.
  unsigned index() const noexcept { return index_; }
  /// Since the machine was started.
  future<VcpuStats> stats() const;
  /// Lets it run on these host CPUs only (sched_setaffinity(2)). InvalidConfig for none, and for
  /// one that this host has not got.
  future<void> pin(std::vector<unsigned> host_cpus) const;
  ///@{
  /// On the QEMU backend the vCPUs of a VM pause together: the machine stands still while any of
  /// them is paused. Pausing twice is pausing once.
  future<void> pause() const;
  future<void> resume() const;
  ///@}

  /// Made by VmHandle::vcpus().
  Vcpu(std::shared_ptr<detail::VcpuImpl> impl, unsigned index)
      : impl_(std::move(impl)), index_(index) {}

 private:
  friend struct detail::HandleAccess;
  std::shared_ptr<detail::VcpuImpl> impl_;
  unsigned index_;
};

/// A disk of a VM.
struct VmDisk {
  DiskImage image;     ///< as it was given, its path absolute
  std::string device;  ///< "/dev/vda"
  friend bool operator==(const VmDisk&, const VmDisk&) = default;
};

/// What a disk of a running VM has done since its boot.
struct DiskUse {
  std::string device;               ///< "/dev/vda"
  std::uint64_t size_bytes = 0;     ///< as the guest sees it
  std::uint64_t reads = 0;          ///< requests, also below
  std::uint64_t writes = 0;         ///< requests
  std::uint64_t flushes = 0;        ///< requests that what was written be on the disk
  std::uint64_t discards = 0;       ///< and writes of zeroes
  std::uint64_t read_bytes = 0;     ///< by those reads
  std::uint64_t written_bytes = 0;  ///< by those writes
  friend bool operator==(const DiskUse&, const DiskUse&) = default;
};

/// What a running VM has used of its host since its boot.
struct VmStats {
  std::chrono::nanoseconds uptime{0};  ///< since the machine ran, pauses included
  /// CPU time of the vCPUs' threads, user and system, what the guest ran included; in steps of 10
  /// ms. What devices cost is the program's own time, and not told apart by VM.
  std::chrono::nanoseconds cpu_time{0};
  std::uint64_t memory_bytes = 0;  ///< what the guest was given
  /// What of it the host holds now: what the guest has touched and not given back. What QEMU's
  /// machines have in the host's swap is counted, too.
  std::uint64_t resident_memory_bytes = 0;
  std::vector<DiskUse> disks;           ///< in the order of VmHandle::disks()
  std::optional<NetworkStats> network;  ///< where it has one
  std::uint64_t share_requests = 0;     ///< FUSE requests answered, of all shares
  friend bool operator==(const VmStats&, const VmStats&) = default;
};

/// Keeps a subscription alive; dropping it ends it. A call that runs already is not waited for.
class Subscription {
 public:
  Subscription() = default;
  /// Made by VmHandle::subscribe() and Pool::subscribe().
  explicit Subscription(std::shared_ptr<detail::SubscriptionImpl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<detail::SubscriptionImpl> impl_;
};

/// A virtual machine. Copyable handle; thread-safe. Dropping the last handle (and whatever was made
/// from it: consoles, sockets, agents, processes) kills the VM and removes all it had on the host.
class VmHandle {
 public:
  /// Boots it. AlreadyRunning unless it is Created, Stopped or Failed. Done once the machine runs;
  /// the guest is then still booting.
  future<void> start() const;
  /// Asks the guest to power off (through the agent, else the power button) and kills it after 30
  /// s. Done once nothing of it is left.
  future<void> stop() const;
  /// The same with a grace of one's own; of 0 or less nothing is left to the guest.
  future<void> stop_with_timeout(std::chrono::milliseconds grace) const;
  /// Ends it now. Done once nothing of it is left.
  future<void> kill() const;
  /// The exit code (see VmStatus::Stopped), for any number of callers at any time. VmEnded with the
  /// last lines where the VM failed.
  future<std::optional<int>> wait() const;
  /// Timeout where the VM has not ended by then; 0 or less only looks.
  future<std::optional<int>> wait_timeout(std::chrono::milliseconds timeout) const;

  ///@{
  /// Stops and continues all vCPUs; the status stays Running. NotRunning unless the VM runs.
  future<void> pause() const;
  future<void> resume() const;
  ///@}

  /// As it is now; waits for nothing, so it may have changed when you read it.
  VmStatus status() const;
  /// Calls `on_event` on the callback thread for everything that happens from now on, in order,
  /// what a shutdown() of the runtime makes happen included.
  Subscription subscribe(std::function<void(const VmEvent&)> on_event) const;

  /// ConsoleDisabled unless the VM was built with console_enabled().
  future<Console> console() const;
  /// What the kernel wrote to the serial port since the last start (bounded, newest kept).
  future<std::string> kernel_log() const;
  /// Nothing where the VM was built without that port.
  std::optional<VsockSocket> vsock_socket(std::uint32_t port) const;
  /// Those the VM was built with, in that order; a sandbox has its agent's port, too.
  std::vector<VsockSocket> vsock_sockets() const;
  /// Waits until the agent in the guest has reported: as long as the builder's timeout() says, 30 s
  /// without one. AgentUnavailable then, and for a VM that was built without agent_enabled().
  future<AgentClient> agent() const;
  /// The command of a sandbox, once it runs. InvalidConfig for a VM that has none.
  future<Process> main_process() const;
  /// NotRunning unless the VM runs.
  future<std::vector<Vcpu>> vcpus() const;
  /// NotRunning unless the VM runs, NotFound for one without a network.
  future<VmNetwork> network() const;

  /// NotRunning unless the VM runs.
  future<VmStats> stats() const;

  /// Its disks, in the order in which the guest numbers them.
  std::vector<VmDisk> disks() const;

  /// As the builder's name() said, else "vm-N".
  const std::string& name() const;
  /// What it was built with.
  ResourceConfig resources() const;
  /// What it was built for, not what the guest says.
  GuestOs guest_os() const { return GuestOs::Linux; }

  /// Made by build() of a builder.
  explicit VmHandle(std::shared_ptr<detail::VmImpl> impl) : impl_(std::move(impl)) {}

 private:
  friend struct detail::HandleAccess;
  std::shared_ptr<detail::VmImpl> impl_;
};

/// The builder methods that every kind of VM has. Used as one chain of rvalues; each gives the
/// builder on, so that `b = std::move(b).cpus(2)` works too.
template <class Derived>
class BuilderMethods {
 public:
  /// Shown in logs; unique names are not required.
  Derived name(std::string value) && { return set(config_.name, std::move(value)); }
  /// 1 to 255.
  Derived cpus(unsigned count) && { return set(config_.resources.cpus, count); }
  /// MiB; at least 32.
  Derived memory_mb(std::uint64_t mib) && { return set(config_.resources.memory_mb, mib); }
  /// Bounds every operation of the handle, and of what is had from it, that has no time-out of its
  /// own; all of it, where it takes several steps. More than 0, at most 36500 days. When it passes
  /// the future ends with Timeout, and nobody waits any more; what was begun (a start, a process of
  /// the agent) goes on. Without it what the machine or the agent answers by itself has 120 s, and
  /// what waits for something to happen has no bound.
  Derived timeout(std::chrono::milliseconds limit) && {
    return set(config_.timeout, std::optional(limit));
  }
  /// Gives it a console, /dev/hvc0 in the guest: VmHandle::console() works then.
  Derived console_enabled() && { return set(config_.console, true); }
  /// A directory of the host for the guest; see ShareConfig for what `target` is.
  Derived share(std::filesystem::path host_path, std::string target,
                MountMode mode = MountMode::ReadOnly) && {
    config_.shares.push_back({std::move(host_path), std::move(target), mode});
    return self();
  }
  /// The same, with all that can be chosen.
  Derived share(ShareConfig share) && {
    config_.shares.push_back(std::move(share));
    return self();
  }
  /// /dev/vdb, vdc, … in the order given; from /dev/vda on where there is no root disk.
  Derived disk(DiskImage image) && {
    config_.disks.push_back(std::move(image));
    return self();
  }
  /// Gives it a network card; without this call it has none.
  Derived network(NetworkMode mode) && { return set(config_.network, std::move(mode)); }
  /// A port, 1 to 4294967294 and not the agent's 52, that the guest can connect to; each is given
  /// once. Its unix socket gets a path of its own: see VsockPortConfig and
  /// VmHandle::vsock_socket().
  Derived vsock_listen(std::uint32_t port) && {
    return std::move(*this).vsock(VsockPortConfig::listen_auto(port));
  }
  /// The same, with a path for the unix socket: at most 107 bytes.
  Derived vsock_listen_at(std::uint32_t port, std::filesystem::path path) && {
    return std::move(*this).vsock(VsockPortConfig::listen(port, std::move(path)));
  }
  /// A port that the guest listens at.
  Derived vsock_connect(std::uint32_t port) && {
    return std::move(*this).vsock(VsockPortConfig::connect_auto(port));
  }
  /// The same, with a path for the unix socket: at most 107 bytes.
  Derived vsock_connect_at(std::uint32_t port, std::filesystem::path path) && {
    return std::move(*this).vsock(VsockPortConfig::connect(port, std::move(path)));
  }
  /// Either of them, with all that can be chosen.
  Derived vsock(VsockPortConfig port) && {
    config_.vsock_ports.push_back(std::move(port));
    return self();
  }
  /// Adds to the kernel's command line, in place of a default with the same key; see
  /// KernelCommandLine. UnsupportedFeature where firmware boots a disk.
  Derived cmdline_arg(std::string key, std::string value) && {
    config_.command_line.set(std::move(key), std::move(value));
    return self();
  }
  /// The same for a word without a value.
  Derived cmdline_flag(std::string flag) && {
    config_.command_line.add_flag(std::move(flag));
    return self();
  }
  /// The whole command line, without this library's defaults; what the machine needs to show its
  /// devices to the kernel is added all the same.
  Derived cmdline_override(std::string line) && {
    config_.command_line.override_with(std::move(line));
    return self();
  }
  /// BackendUnavailable from build() where it cannot be had on this machine.
  Derived backend(Backend which) && { return set(config_.backend, which); }
  /// Of the QEMU backend, which Backend::Auto comes to where this is chosen.
  Derived accelerator(Accelerator which) && { return set(config_.accelerator, which); }
  /// Gives the guest a CPU with which its kernel can have a /dev/kvm: an emulated AMD EPYC with SVM
  /// under TCG, the host's own extensions on KVM, where the host lets them through.
  Derived nested_virtualization() && { return set(config_.nested, true); }

 protected:
  /// For the builders of this library, as what follows.
  explicit BuilderMethods(std::shared_ptr<detail::RuntimeImpl> runtime)
      : runtime_(std::move(runtime)) {}

  /// A field of `config_`.
  template <class T, class U>
  Derived set(T& field, U&& value) {
    field = std::forward<U>(value);
    return self();
  }
  /// The builder on.
  Derived self() { return static_cast<Derived&&>(*this); }

  std::shared_ptr<detail::RuntimeImpl> runtime_;  ///< whose VM it will be
  VmConfig config_;                               ///< what was said so far
};

/// Collects what a VM shall be. build() checks all of it before anything is made: a bad value is
/// InvalidConfig naming the field, what was given, and what is allowed.
class [[nodiscard]] VmBuilder : public BuilderMethods<VmBuilder> {
 public:
  /// Made by Runtime::vm() and Capsa::vm().
  VmBuilder(std::shared_ptr<detail::RuntimeImpl> runtime, BootConfig boot)
      : BuilderMethods(std::move(runtime)), boot_(std::move(boot)) {}

  /// For a guest whose init is capsa's agent, or starts it: VmHandle::agent() works then.
  VmBuilder agent_enabled() && { return set(config_.agent, true); }

  /// The VM, Created and not started.
  future<VmHandle> build() &&;

 private:
  BootConfig boot_;
};

}  // namespace capsa
