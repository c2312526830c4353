#pragma once

#include <capsa/result.hpp>
#include <cstdint>

namespace capsa::kvm {

/// Whether this host can run a machine of ours with so much memory, MiB. BackendUnavailable,
/// PermissionDenied or UnsupportedFeature for the host, InvalidConfig for the memory; the hint says
/// what to do. Opens /dev/kvm, which takes microseconds.
result<void> check_host(std::uint64_t memory_mb = 512);

/// The same for who has not asked for it by name: see hypervisor::probe_kvm().
result<void> recommend_host(std::uint64_t memory_mb = 512);

}  // namespace capsa::kvm
