#pragma once

#include <backends/kvm/tables/machine_tables.hpp>
#include <cstddef>
#include <vector>

namespace capsa::kvm {

/// Tables, and where they belong: they name each other by their guest-physical addresses.
struct AcpiTables {
  /// Of the RSDP: for the command line, boot_params and hvm_start_info.
  GuestAddress rsdp = 0;
  /// To be written at kAcpiAddress. Ends before kBiosMpTableAddress.
  std::vector<std::byte> bytes;
};

/// RSDP, XSDT, FADT, MADT and DSDT of this machine (ACPI 6.4, 5.2), each at a multiple of 16.
/// Pure: the same machine gives the same bytes. Thread-safe.
/// The errors of check(), and ResourceExhausted where the tables do not fit.
result<AcpiTables> build_acpi(const MachineTables& machine);

}  // namespace capsa::kvm
