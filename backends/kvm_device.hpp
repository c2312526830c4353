#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <filesystem>

namespace capsa::hypervisor {

/// The host's KVM, for whoever drives it: our own machine, or a QEMU process. `device` is /dev/kvm
/// but in tests. BackendUnavailable where there is none or it is something else, PermissionDenied
/// where this user may not use it; the hint says what to do.
result<UniqueFd> open_kvm(const std::filesystem::path& device = "/dev/kvm");

/// Whether it can be used; else why not.
result<void> probe_kvm(const std::filesystem::path& device = "/dev/kvm");

}  // namespace capsa::hypervisor
