#pragma once

#include <backends/kvm/layout.hpp>
#include <cstddef>
#include <vector>

namespace capsa::kvm {

/// The FADT, revision 6.4 (ACPI 6.4, 5.2.9), of a hardware-reduced machine (4.1): no power
/// management timer, no SCI, no PIT that the guest would believe in. Off and reset are one write to
/// a port each. A guest that goes by this has no PIT to measure its clocks with: it must be told
/// the frequency of the TSC (kvmclock, or CPUID), or Linux hangs early in its boot. Pure;
/// thread-safe.
std::vector<std::byte> build_fadt(GuestAddress dsdt);

}  // namespace capsa::kvm
