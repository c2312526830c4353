#pragma once

#include <cstddef>
#include <vector>

namespace capsa::kvm {

/// The MADT (ACPI 6.4, 5.2.12): `cpus` local APICs with the ids from 0 on, and one I/O APIC whose
/// pins are the interrupts from 0 on.
///
/// There are no interrupt source overrides: those say where the ISA interrupts of a PC have gone,
/// and a hardware-reduced machine has none (PCAT_COMPAT is clear, Linux leaves the two 8259 and the
/// PIT alone). Every interrupt is one that the DSDT names, with trigger and polarity.
/// `cpus` is 1 to kMaxCpus. Pure; thread-safe.
std::vector<std::byte> build_madt(unsigned cpus);

}  // namespace capsa::kvm
