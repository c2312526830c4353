#pragma once

#include <capsa/disk.hpp>
#include <capsa/kernel_command_line.hpp>
#include <capsa/network.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace capsa {

/// Boots a Linux kernel directly: no firmware, no boot loader.
struct LinuxDirectBootConfig {
  /// An ELF vmlinux with a PVH entry (CONFIG_PVH=y), or a bzImage.
  std::filesystem::path kernel;
  /// The initial RAM disk (cpio, in any compression that the kernel knows).
  std::filesystem::path initrd;
  /// Whether the kernel finds its devices through ACPI, as distribution kernels do. Without ACPI it
  /// needs CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES, and has neither power button nor power-off.
  bool acpi = true;
  /// /dev/vda, and the kernel's root= unless the command line has one.
  std::optional<DiskImage> root_disk;

  LinuxDirectBootConfig() = default;
  LinuxDirectBootConfig(std::filesystem::path kernel_path, std::filesystem::path initrd_path)
      : kernel(std::move(kernel_path)), initrd(std::move(initrd_path)) {}

  LinuxDirectBootConfig with_root_disk(DiskImage image) && {
    root_disk = std::move(image);
    return std::move(*this);
  }
  LinuxDirectBootConfig without_acpi() && {
    acpi = false;
    return std::move(*this);
  }

  friend bool operator==(const LinuxDirectBootConfig&, const LinuxDirectBootConfig&) = default;
};

/// What may be done in a shared directory.
enum class MountMode : std::uint8_t {
  ReadOnly,  ///< enforced on the host, for root in the guest too
  ReadWrite,
};

/// Whose files the guest sees and makes.
enum class Ownership : std::uint8_t {
  Squash,       ///< guest root is the host user who runs the program
  Passthrough,  ///< numeric ids as they are; the host program must be root
};

/// How long the guest may believe what it read.
enum class ShareCache : std::uint8_t {
  Auto,    ///< names and attributes for one second
  None,    ///< nothing: every look-up reaches the host
  Always,  ///< for directories that do not change while they are shared
};

/// A directory of the host, shared with the guest over virtio-fs.
struct ShareConfig {
  std::filesystem::path host_path;  ///< relative paths start at the program's working directory
  /// A VM's guest mounts it by this tag (`mount -t virtiofs TAG DIR`); a sandbox's guest finds it
  /// mounted at this absolute path.
  std::string target;
  MountMode mode = MountMode::ReadOnly;
  Ownership ownership = Ownership::Squash;
  ShareCache cache = ShareCache::Auto;

  friend bool operator==(const ShareConfig&, const ShareConfig&) = default;
};

/// A vsock port and the unix socket that stands for it on the host. One stream of the guest is one
/// connection on the unix socket, and there may be many at once.
struct VsockPortConfig {
  std::uint32_t port = 0;
  /// Empty: a path of its own in the runtime directory, told by the handle.
  std::filesystem::path socket_path;
  /// True: the guest listens on `port`, and a connection to the unix socket connects to it.
  /// False: the guest connects to `port` of CID 2; a connection to the unix socket takes the oldest
  /// of the guest's connections that nobody took yet, or waits for the next.
  bool connects = false;
  /// Whether the unix socket is removed when the VM stops.
  bool auto_cleanup = true;

  static VsockPortConfig listen(std::uint32_t port, std::filesystem::path socket_path) {
    return {port, std::move(socket_path), false, true};
  }
  static VsockPortConfig listen_auto(std::uint32_t port) { return {port, {}, false, true}; }
  static VsockPortConfig connect(std::uint32_t port, std::filesystem::path socket_path) {
    return {port, std::move(socket_path), true, true};
  }
  static VsockPortConfig connect_auto(std::uint32_t port) { return {port, {}, true, true}; }

  friend bool operator==(const VsockPortConfig&, const VsockPortConfig&) = default;
};

/// What a VM is given of its host.
struct ResourceConfig {
  unsigned cpus = 1;
  std::uint64_t memory_mb = 512;  ///< MiB

  friend bool operator==(const ResourceConfig&, const ResourceConfig&) = default;
};

enum class GuestOs : std::uint8_t { Linux };

/// What makes the machine run.
enum class Backend : std::uint8_t {
  /// What the environment variable CAPSA_BACKEND says (kvm or qemu); else Kvm where it opens, and
  /// Qemu where it does not or an accelerator was chosen.
  Auto,
  Qemu,  ///< a QEMU process: on KVM where it opens, else emulated
  Kvm,   ///< a machine in this process, on /dev/kvm; no QEMU is needed
};

/// How a QEMU process runs the guest's instructions.
enum class Accelerator : std::uint8_t {
  Auto,  ///< Kvm where it opens, else Tcg
  Kvm,
  Tcg,  ///< emulation; QEMU's authors promise no isolation for it
};

/// Everything a VM builder collects; plain data.
struct VmConfig {
  std::string name;  ///< empty: "vm-N"
  ResourceConfig resources;
  bool console = false;
  bool agent = false;  ///< whether an agent in the guest is expected to report
  std::vector<ShareConfig> shares;
  std::vector<DiskImage> disks;
  std::vector<VsockPortConfig> vsock_ports;
  NetworkMode network;
  KernelCommandLine command_line;
  std::optional<std::chrono::milliseconds> timeout;
  Backend backend = Backend::Auto;
  Accelerator accelerator = Accelerator::Auto;
  bool nested = false;  ///< whether the guest's CPU can run virtual machines of its own

  friend bool operator==(const VmConfig&, const VmConfig&) = default;
};

std::string to_string(MountMode);
std::string to_string(Ownership);
std::string to_string(ShareCache);
std::string to_string(GuestOs);
std::string to_string(Backend);
std::string to_string(Accelerator);
std::string to_string(const LinuxDirectBootConfig&);
std::string to_string(const ShareConfig&);
std::string to_string(const VsockPortConfig&);
std::string to_string(const ResourceConfig&);
std::string to_string(const VmConfig&);

std::ostream& operator<<(std::ostream&, MountMode);
std::ostream& operator<<(std::ostream&, Backend);
std::ostream& operator<<(std::ostream&, const LinuxDirectBootConfig&);
std::ostream& operator<<(std::ostream&, const ShareConfig&);
std::ostream& operator<<(std::ostream&, const VsockPortConfig&);
std::ostream& operator<<(std::ostream&, const ResourceConfig&);
std::ostream& operator<<(std::ostream&, const VmConfig&);

}  // namespace capsa
