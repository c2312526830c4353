#pragma once

#include <capsa/agent_types.hpp>
#include <capsa/config.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace capsa {

/// What a configuration is checked against. host_context() fills in this machine.
struct ValidateContext {
  /// Whether shares are mounted by capsa at the paths given (true), or by the guest by tag.
  bool sandbox = false;
  bool image = false;  ///< whether its root is an image, which is a device of its own
  /// The kernel and initrd, where there are any to be checked.
  std::optional<LinuxDirectBootConfig> boot;
  std::optional<UefiBootConfig> uefi;  ///< the disk and the variables instead of them
  std::uint64_t host_memory_mb = 0;  ///< physical memory of the host, MiB; 0: unknown, not checked
  bool root = false;                 ///< whether this process may act as any user of the host
};

/// What one xAPIC can name: 8-bit ids, of which 255 means "all".
inline constexpr unsigned kMaxCpus = 255;
/// Less does not hold a kernel, its initrd unpacked, and a process.
inline constexpr std::uint64_t kMinMemoryMb = 32;
/// Guest memory takes host memory only once the guest touches it, so giving a guest more than the
/// host has is a way to share it; more than eight times as much is a mistake in the unit.
inline constexpr std::uint64_t kMaxMemoryOvercommit = 8;
/// A tag's field in the configuration space of a virtio-fs device (virtio 1.2, 5.11.4).
inline constexpr std::size_t kMaxShareTag = 36;
/// sun_path of unix(7) without its final NUL.
inline constexpr std::size_t kMaxSocketPath = 107;
/// Names go into file names and process titles.
inline constexpr std::size_t kMaxVmName = 64;
/// Virtio devices that the machine has room for, without and with ACPI.
inline constexpr std::size_t kVirtioSlots = 8;
inline constexpr std::size_t kVirtioSlotsAcpi = 24;

ValidateContext host_context();

/// Makes relative paths of the host absolute, from `cwd`. Touches no file.
VmConfig normalize(VmConfig config, const std::filesystem::path& cwd);
LinuxDirectBootConfig normalize(LinuxDirectBootConfig boot, const std::filesystem::path& cwd);
UefiBootConfig normalize(UefiBootConfig boot, const std::filesystem::path& cwd);

/// Checks everything that can be known before anything is made; takes a normalized configuration.
/// InvalidConfig, or UnsupportedFeature for what no machine of ours can have: the message names the
/// field, what was given and what is allowed, the hint what to do. Reads the file system.
/// Thread-safe.
result<void> validate(const VmConfig& config, const ValidateContext& context);

/// The same for a cluster that is named for the first time.
result<void> validate(const std::string& cluster, const ClusterConfig& config);

/// The same for a port forward that is added to a running VM.
result<void> validate(const PortForward& forward);

/// The same for what runs in a guest.
result<void> validate(const ExecSpec& spec);

}  // namespace capsa
