#pragma once

#include <capsa/result.hpp>

namespace capsa::kvm {

/// Leaves the calling thread only the system calls that running a guest takes; everything else is
/// refused with EPERM from then on. The thread must have nothing else to do in its life. Other
/// threads of the program are not touched. UnsupportedFeature where the kernel has no filters.
/// The environment variable CAPSA_NO_SECCOMP=1 switches it off.
result<void> confine_this_thread();

/// Makes the filter, which the first confine_this_thread() would do otherwise. Where that fails,
/// confine_this_thread() tells of it. From any thread.
void prepare_confinement();

}  // namespace capsa::kvm
