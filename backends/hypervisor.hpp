#pragma once

#include <capsa/result.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace capsa::virtio::mmio {
struct Slot;
}  // namespace capsa::virtio::mmio

namespace capsa::hypervisor {

/// What the machine reports, on the loop's thread.
enum class EndCause : std::uint8_t {
  PowerOff,     ///< the guest powered off, or was asked to and did
  Reset,        ///< the guest asked for a reset (we never reboot a machine in place)
  Panic,        ///< the guest's kernel reported a panic through a device
  TripleFault,  ///< a CPU gave up: a crash before any handler, or a kernel's last means of a reset
  Halted,       ///< the guest's kernel stopped every CPU and left the power on
  Killed,       ///< we ended it
  Failed,       ///< the hypervisor ended by itself; `message` has its own words
};

struct MachineEnd {
  EndCause cause = EndCause::Failed;
  std::string message;
};

/// A virtio device to attach, served by somebody else: over a connected vhost-user socket where the
/// hypervisor is another process, by a transport where it runs in ours.
struct DeviceSpec {
  enum class Kind : std::uint8_t { Fs, Vsock, Block, Net } kind = Kind::Fs;
  int fd = -1;          ///< the hypervisor's end of the socket; borrowed until start() returned
  std::string tag;      ///< virtio-fs tag (Kind::Fs); "02:00:00:12:34:56" (Kind::Net)
  unsigned queues = 1;  ///< Kind::Block; queue pairs of Kind::Net
  /// Holds the device's transport when the machine is started.
  std::shared_ptr<virtio::mmio::Slot> slot = nullptr;
  /// Kind::Net, instead of `fd`: where a hypervisor that is another process connects to.
  std::filesystem::path socket = {};
};

/// UEFI firmware, which finds what to boot on the machine's first disk.
struct FirmwareSpec {
  std::filesystem::path code;  ///< its image; only read
  int variables_fd = -1;       ///< the whole of its variables' flash, to be written to
  /// It trusts no code but its own with its variables: built for system management mode.
  bool secure_boot = false;
};

/// A machine before it runs. Every fd is borrowed until start() returned.
struct MachineSpec {
  std::string name;  ///< for logs and process titles
  /// Instead of kernel, initrd and command line. Such a machine is a PC with ACPI and PCI.
  std::optional<FirmwareSpec> firmware;
  std::filesystem::path kernel;
  std::filesystem::path initrd;
  std::string command_line;  ///< complete: what the transport needs is in it already
  unsigned cpus = 1;
  std::uint64_t memory_mb = 512;
  /// Describe the hardware by ACPI tables: a stock kernel finds its virtio devices no other way,
  /// and the power button needs them. Without, at most 8 virtio devices.
  bool acpi = true;
  bool nested = false;  ///< a CPU that has virtualization extensions of its own
  int console_fd = -1;  ///< byte stream for the first virtio console; -1: none
  int serial_fd = -1;   ///< byte stream for the kernel log on the serial port; -1: none
  std::vector<DeviceSpec> devices;
  std::filesystem::path runtime_dir;  ///< private (0700), exists; may hold a pid file and logs
};

/// Why a vCPU stopped running its guest.
enum class ExitKind : std::uint8_t {
  Port,
  Memory,
  Interrupted,
  Halt,
  Shutdown,
  SystemEvent,
  Other
};
inline constexpr std::size_t kExitKinds = 7;

struct VcpuStats {
  std::chrono::nanoseconds user{0};    ///< host CPU time in user mode
  std::chrono::nanoseconds system{0};  ///< host CPU time in the kernel
  /// How often the guest was left, by ExitKind, where the machine is our own; else empty.
  std::vector<std::uint64_t> exits;
};

template <class T>
using Completion = std::function<void(result<T>)>;

/// A question whose answer takes a while, for any thread that may block. It holds what it needs:
/// where that has gone meanwhile the answer is NotRunning.
template <class T>
using SlowQuestion = std::function<result<T>()>;

/// The run loop of one vCPU, where the machine is our own. Thread-safe; NotRunning once the machine
/// has ended. Completions come on the machine's loop.
class VcpuControl {
 public:
  virtual ~VcpuControl() = default;
  /// Stands still, whatever the machine's own pause() does, until resume().
  virtual void pause(Completion<void> done) = 0;
  virtual void resume(Completion<void> done) = 0;
  virtual result<VcpuStats> stats() const = 0;
  virtual result<void> pin(const std::vector<unsigned>& host_cpus) = 0;
};

/// One vCPU as the host sees it.
struct VcpuInfo {
  unsigned index = 0;
  std::int64_t thread_id = 0;            ///< host thread that runs it
  std::shared_ptr<VcpuControl> control;  ///< none where it can only be reached through the machine
};

/// Callbacks of a machine, on its loop's thread. None is called from inside a call to the machine.
struct MachineEvents {
  std::function<void(std::vector<VcpuInfo>)> running;  ///< vCPUs exist and run
  std::function<void(MachineEnd)> ended;               ///< once, last
};

/// A machine that runs, or ran. All calls and callbacks on one loop's thread; none blocks.
class Machine {
 public:
  virtual ~Machine() = default;  ///< kills what still runs

  virtual result<void> start(MachineEvents events) = 0;
  virtual void pause(Completion<void> done) = 0;
  virtual void resume(Completion<void> done) = 0;
  /// Presses the ACPI power button. UnsupportedFeature where the machine has none.
  virtual void power_button(Completion<void> done) = 0;
  /// Ends it now. `ended` follows.
  virtual void kill() = 0;
  virtual result<VcpuStats> vcpu_stats(unsigned index) const = 0;
  /// How many bytes of the guest's memory the host holds. NotRunning like vcpu_stats().
  virtual result<SlowQuestion<std::uint64_t>> resident_memory() const = 0;
  /// Pins a vCPU's host thread to these host CPUs.
  virtual result<void> pin_vcpu(unsigned index, const std::vector<unsigned>& host_cpus) = 0;
  /// How large the terminal is that shows the console, in characters. UnsupportedFeature where the
  /// machine's console has no size, or there is none.
  virtual result<void> resize_console(std::uint16_t columns, std::uint16_t rows) = 0;
};

}  // namespace capsa::hypervisor
