#pragma once

#include <backends/kvm/boot/linux.hpp>
#include <backends/kvm/cpuid.hpp>
#include <capsa/result.hpp>

namespace capsa::kvm {

/// Gives a fresh vCPU what a PC's firmware would have set: CPUID, MSRs, the local APIC's pins.
result<void> set_up_vcpu(int vcpu_fd, std::span<const kvm_cpuid_entry2> cpuid);

/// Where the first vCPU begins. The others wait for the first to start them (INIT, SIPI).
result<void> set_entry(int vcpu_fd, const EntryState& entry);

}  // namespace capsa::kvm
