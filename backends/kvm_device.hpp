#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <filesystem>

namespace capsa::hypervisor {

/// The host's KVM, for whoever drives it: our own machine, or a QEMU process. `device` is /dev/kvm
/// but in tests. BackendUnavailable where there is none or it is something else, PermissionDenied
/// where this user may not use it; the hint says what to do.
result<UniqueFd> open_kvm(const std::filesystem::path& device = "/dev/kvm");

/// Whether it is worth to be used where nobody has asked for it by name; else why not. A KVM that
/// runs guests in software, as some hosts offer inside of their own VMs, is slower than QEMU's
/// emulation, and does not know all that QEMU's KVM support asks of it. `cpuinfo` is /proc/cpuinfo
/// but in tests.
result<void> probe_kvm(const std::filesystem::path& device = "/dev/kvm",
                       const std::filesystem::path& cpuinfo = "/proc/cpuinfo");

}  // namespace capsa::hypervisor
