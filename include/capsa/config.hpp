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
#include <variant>
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
  /// Relative paths start at the program's working directory.
  LinuxDirectBootConfig(std::filesystem::path kernel_path, std::filesystem::path initrd_path)
      : kernel(std::move(kernel_path)), initrd(std::move(initrd_path)) {}

  /// Sets `root_disk`.
  LinuxDirectBootConfig with_root_disk(DiskImage image) && {
    root_disk = std::move(image);
    return std::move(*this);
  }
  /// Clears `acpi`: 8 devices instead of 24.
  LinuxDirectBootConfig without_acpi() && {
    acpi = false;
    return std::move(*this);
  }

  friend bool operator==(const LinuxDirectBootConfig&, const LinuxDirectBootConfig&) = default;
};

/// Boots a disk by UEFI firmware (OVMF), as a PC would. On the QEMU backend.
struct UefiBootConfig {
  /// /dev/vda. The firmware looks for EFI/BOOT/BOOTX64.EFI in its EFI system partition where its
  /// variables name nothing else.
  DiskImage disk;
  /// The file with the firmware's variables (boot entries, keys), which it writes to. One VM at a
  /// time has it. Empty: the VM has variables of its own, which are gone when it ends.
  std::optional<std::filesystem::path> efi_variable_store;
  /// Whether a store that is not there is made, with the firmware's first values; else NotFound.
  bool create_variable_store = true;
  /// Firmware that starts only what its keys have signed. A store that is made is enrolled with the
  /// keys that PCs have (Microsoft's and the distribution's).
  bool secure_boot = false;

  UefiBootConfig() = default;
  /// A disk with an EFI system partition.
  explicit UefiBootConfig(DiskImage boot_disk) : disk(std::move(boot_disk)) {}

  /// Sets `efi_variable_store` and `create_variable_store`.
  UefiBootConfig with_efi_variable_store(std::filesystem::path store, bool create = true) && {
    efi_variable_store = std::move(store);
    create_variable_store = create;
    return std::move(*this);
  }
  /// Sets `secure_boot`.
  UefiBootConfig with_secure_boot() && {
    secure_boot = true;
    return std::move(*this);
  }

  friend bool operator==(const UefiBootConfig&, const UefiBootConfig&) = default;
};

/// How a VM comes up.
using BootConfig = std::variant<LinuxDirectBootConfig, UefiBootConfig>;

/// What may be done in a shared directory.
enum class MountMode : std::uint8_t {
  ReadOnly,   ///< enforced on the host, for root in the guest too
  ReadWrite,  ///< what the guest does there is done on the host
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
  MountMode mode = MountMode::ReadOnly;     ///< what the guest may do there
  Ownership ownership = Ownership::Squash;  ///< whose its files are
  ShareCache cache = ShareCache::Auto;      ///< when it sees what the host changes

  friend bool operator==(const ShareConfig&, const ShareConfig&) = default;
};

/// A vsock port and the unix socket that stands for it on the host. One stream of the guest is one
/// connection on the unix socket, and there may be many at once.
struct VsockPortConfig {
  std::uint32_t port = 0;  ///< 1 to 4294967294
  /// Empty: a path of its own in the runtime directory, told by the handle.
  std::filesystem::path socket_path;
  /// True: the guest listens on `port`, and a connection to the unix socket connects to it.
  /// False: the guest connects to `port` of CID 2; a connection to the unix socket takes the oldest
  /// of the guest's connections that nobody took yet, or waits for the next.
  bool connects = false;
  /// Whether the unix socket is removed when the VM stops.
  bool auto_cleanup = true;

  ///@{
  /// Ports that the guest connects to (listen), and at which it listens (connect); with a socket at
  /// that path, or at one of its own.
  static VsockPortConfig listen(std::uint32_t port, std::filesystem::path socket_path) {
    return {port, std::move(socket_path), false, true};
  }
  static VsockPortConfig listen_auto(std::uint32_t port) { return {port, {}, false, true}; }
  static VsockPortConfig connect(std::uint32_t port, std::filesystem::path socket_path) {
    return {port, std::move(socket_path), true, true};
  }
  static VsockPortConfig connect_auto(std::uint32_t port) { return {port, {}, true, true}; }
  ///@}

  friend bool operator==(const VsockPortConfig&, const VsockPortConfig&) = default;
};

/// What a VM is given of its host.
struct ResourceConfig {
  unsigned cpus = 1;              ///< 1 to 255
  std::uint64_t memory_mb = 512;  ///< MiB; at least 32

  friend bool operator==(const ResourceConfig&, const ResourceConfig&) = default;
};

/// What a VM is made to boot; there is only one kind.
enum class GuestOs : std::uint8_t { Linux };

/// What makes the machine run.
enum class Backend : std::uint8_t {
  /// What the environment variable CAPSA_BACKEND says (kvm or qemu); else Kvm where it opens on a
  /// processor with virtualization, and Qemu where not or where an accelerator was chosen.
  Auto,
  Qemu,  ///< a QEMU process: on KVM where it opens, else emulated
  Kvm,   ///< a machine in this process, on /dev/kvm; no QEMU is needed
};

/// How a QEMU process runs the guest's instructions.
enum class Accelerator : std::uint8_t {
  Auto,  ///< Kvm where it opens on a processor with virtualization, else Tcg
  Kvm,   ///< BackendUnavailable where it does not
  Tcg,   ///< emulation; QEMU's authors promise no isolation for it
};

/// Everything a VM builder collects; plain data.
struct VmConfig {
  std::string name;                 ///< empty: "vm-N"
  ResourceConfig resources;         ///< what it is given of the host
  bool console = false;             ///< whether it has one, /dev/hvc0
  bool agent = false;               ///< whether an agent in the guest is expected to report
  std::vector<ShareConfig> shares;  ///< tags or paths unique
  std::vector<DiskImage> disks;     ///< after the disk that it boots from
  std::vector<VsockPortConfig> vsock_ports;          ///< ports unique
  NetworkMode network;                               ///< none: no card
  KernelCommandLine command_line;                    ///< what is added to the defaults
  std::optional<std::chrono::milliseconds> timeout;  ///< see BuilderMethods::timeout()
  Backend backend = Backend::Auto;                   ///< what makes it run
  Accelerator accelerator = Accelerator::Auto;       ///< of the QEMU backend
  bool nested = false;  ///< whether the guest's CPU can run virtual machines of its own

  friend bool operator==(const VmConfig&, const VmConfig&) = default;
};

///@{
/// An enumerator in snake_case, or "Type{field=value, …}" on one line: for people and logs, not to
/// be parsed. operator<< prints the same.
std::string to_string(MountMode);
std::string to_string(Ownership);
std::string to_string(ShareCache);
std::string to_string(GuestOs);
std::string to_string(Backend);
std::string to_string(Accelerator);
std::string to_string(const LinuxDirectBootConfig&);
std::string to_string(const UefiBootConfig&);
std::string to_string(const ShareConfig&);
std::string to_string(const VsockPortConfig&);
std::string to_string(const ResourceConfig&);
std::string to_string(const VmConfig&);
///@}

std::ostream& operator<<(std::ostream&, MountMode);
std::ostream& operator<<(std::ostream&, Backend);
std::ostream& operator<<(std::ostream&, const LinuxDirectBootConfig&);
std::ostream& operator<<(std::ostream&, const UefiBootConfig&);
std::ostream& operator<<(std::ostream&, const ShareConfig&);
std::ostream& operator<<(std::ostream&, const VsockPortConfig&);
std::ostream& operator<<(std::ostream&, const ResourceConfig&);
std::ostream& operator<<(std::ostream&, const VmConfig&);

}  // namespace capsa
