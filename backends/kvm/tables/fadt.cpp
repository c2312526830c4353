#include <backends/kvm/tables/fadt.hpp>
#include <backends/kvm/tables/little_endian.hpp>
#include <backends/kvm/tables/system_table.hpp>

namespace capsa::kvm {

namespace {

// Offsets in the table (ACPI 6.4, table 5.9). What is not named here is zero: it belongs to
// registers that a hardware-reduced machine has not, or says "unspecified". The 32-bit address of
// the DSDT is zero too: the other one counts.
constexpr std::size_t kSize = 276;
constexpr std::size_t kBootArchitecture = 109;
constexpr std::size_t kFlags = 112;
constexpr std::size_t kResetRegister = 116;
constexpr std::size_t kResetValueAt = 128;
constexpr std::size_t kMinorVersion = 131;
constexpr std::size_t kXDsdt = 140;
constexpr std::size_t kSleepControl = 244;
constexpr std::size_t kSleepStatus = 256;
constexpr std::size_t kHypervisorVendor = 268;

// IAPC_BOOT_ARCH (table 5.11). The serial port and the clock are legacy devices; a keyboard
// controller (bit 1) is not there to be probed for, nor is a VGA. "CMOS RTC not present" (bit 5)
// stays clear.
constexpr std::uint16_t kLegacyDevices = 1 << 0;
constexpr std::uint16_t kVgaNotPresent = 1 << 2;

// Flags (table 5.10).
constexpr std::uint32_t kWbinvdWorks = 1 << 0;
/// Both buttons: no fixed register has them. The power button is a device of the DSDT, or absent.
constexpr std::uint32_t kNoFixedPowerButton = 1 << 4;
constexpr std::uint32_t kNoFixedSleepButton = 1 << 5;
constexpr std::uint32_t kResetSupported = 1 << 10;
constexpr std::uint32_t kHardwareReduced = 1 << 20;

/// Generic Address Structure (5.2.3.2): one byte in the space of I/O ports.
void put_port(std::span<std::byte> table, std::size_t offset, std::uint16_t port) {
  constexpr std::uint8_t kSystemIo = 1;
  constexpr std::uint8_t kByteAccess = 1;
  put(table, offset, kSystemIo);
  put(table, offset + 1, std::uint8_t{8});  // bits
  put(table, offset + 3, kByteAccess);
  put(table, offset + 4, std::uint64_t{port});
}

}  // namespace

std::vector<std::byte> build_fadt(GuestAddress dsdt) {
  std::vector<std::byte> table(kSize);
  put(table, kBootArchitecture, static_cast<std::uint16_t>(kLegacyDevices | kVgaNotPresent));
  put(table, kFlags,
      kWbinvdWorks | kNoFixedPowerButton | kNoFixedSleepButton | kResetSupported |
          kHardwareReduced);
  put_port(table, kResetRegister, kResetPort);
  put(table, kResetValueAt, kResetValue);
  put(table, kMinorVersion, std::uint8_t{4});
  put(table, kXDsdt, dsdt);
  put_port(table, kSleepControl, kSleepControlPort);
  put_port(table, kSleepStatus, kSleepStatusPort);
  put(table, kHypervisorVendor, std::string_view("CAPSA"));
  return system_table("FACP", 6, std::span(table).subspan(kSystemTableHeader));
}

}  // namespace capsa::kvm
