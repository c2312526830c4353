#pragma once

#include <backends/kvm/layout.hpp>
#include <capsa/result.hpp>
#include <cstddef>
#include <vector>

namespace capsa::kvm {

/// Where the MP table lies: at the start of the BIOS ROM, the last of the three places where
/// kernels look (MP specification 1.4, 4). The EBDA, which they look at before, has one KiB here
/// and would hold the table of 37 CPUs; this place holds that of 255, so there is one place for
/// all. Its 64 KiB are the upper half of the area at kAcpiAddress: reserved in the memory map, and
/// the ACPI tables end below it.
inline constexpr GuestAddress kBiosMpTableAddress = 0xF0000;

/// A table, and where it belongs: it names itself by its guest-physical address.
struct MpTable {
  GuestAddress address = 0;
  std::vector<std::byte> bytes;
};

/// The MP table (Intel MultiProcessor specification 1.4) for kernels without ACPI: the floating
/// pointer, and the configuration table after it. CPUs with the APIC ids from 0 on, the first of
/// them the one that boots; one ISA bus; one I/O APIC, where ISA interrupt n is pin n, up to the
/// last: a bus of 16 interrupts it never was, but so a kernel finds the lines that its command
/// line names for virtio devices. A kernel that knows ACPI reads it and goes by the MADT.
/// Pure; thread-safe. InvalidConfig unless `cpus` is 1 to kMaxCpus.
result<MpTable> build_mp_table(unsigned cpus);

}  // namespace capsa::kvm
