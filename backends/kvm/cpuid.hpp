#pragma once

#include <linux/kvm.h>

#include <span>
#include <vector>

namespace capsa::kvm {

struct CpuidOptions {
  unsigned index = 0;         ///< of the vCPU; its APIC id
  unsigned cpus = 1;          ///< of the VM: cores of one socket, one thread each
  bool tsc_deadline = false;  ///< KVM_CAP_TSC_DEADLINE_TIMER
  bool nested = false;        ///< the guest may run virtual machines of its own
};

/// What a vCPU tells of itself: the host's CPU as KVM can give it, minus virtualization extensions
/// (unless asked for) and the performance counters, with the topology of this machine. A pure
/// function of its arguments.
std::vector<kvm_cpuid_entry2> make_cpuid(std::span<const kvm_cpuid_entry2> supported,
                                         const CpuidOptions& options);

}  // namespace capsa::kvm
