#pragma once

#include <backends/memory/guest_memory.hpp>
#include <cstdint>

namespace capsa::kvm {

/// \file Where things lie in our machine: guest-physical addresses, I/O ports and interrupt lines.
/// The guest is told of each of them by ACPI, by the MP table, by the command line or by e820, but
/// for those that every PC has.

using memory::GuestAddress;

// -- the first MiB
inline constexpr GuestAddress kGdtAddress = 0x500;
inline constexpr GuestAddress kStartInfoAddress = 0x6000;  ///< PVH hvm_start_info and what it names
inline constexpr GuestAddress kZeroPageAddress = 0x7000;   ///< Linux boot_params
inline constexpr GuestAddress kPageTablesAddress = 0x9000;  ///< 6 pages: PML4, PDPT, 4 PDs
inline constexpr GuestAddress kCommandLineAddress = 0x20000;
inline constexpr std::uint64_t kCommandLineSize =
    0x800;  ///< x86's COMMAND_LINE_SIZE, with the zero
/// Conventional memory ends here; what follows is the EBDA, where kernels look for an MP table.
inline constexpr GuestAddress kMpTableAddress = 0x9FC00;
inline constexpr GuestAddress kLowMemoryEnd = 0x9FC00;
/// Reserved, as a PC's BIOS is; kernels look for the RSDP from here on in steps of 16.
inline constexpr GuestAddress kAcpiAddress = 0xE0000;
inline constexpr std::uint64_t kAcpiSize = 0x20000;
inline constexpr GuestAddress kHighMemoryStart = 0x100000;

// -- the hole for devices below 4 GiB
inline constexpr GuestAddress kHoleStart = 0xC000'0000;
inline constexpr GuestAddress kHoleEnd = 0x1'0000'0000;
inline constexpr GuestAddress kVirtioAddress = 0xD000'0000;
inline constexpr std::uint64_t kVirtioStride = 0x1000;  ///< one page each: registers and config
/// The Generic Event Device's one register (ACPI 6.4, 5.6.9): which events are pending.
inline constexpr GuestAddress kEventDeviceAddress = 0xFE00'0000;
inline constexpr std::uint64_t kEventDeviceSize = 0x1000;
inline constexpr GuestAddress kIoApicAddress = 0xFEC0'0000;
inline constexpr GuestAddress kLocalApicAddress = 0xFEE0'0000;
/// Intel CPUs without "unrestricted guest" want three pages and one page of their own
/// (KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR).
inline constexpr GuestAddress kIdentityMapAddress = 0xFFFB'C000;
inline constexpr GuestAddress kTssAddress = 0xFFFB'D000;

// -- I/O ports
inline constexpr std::uint16_t kSerialPort = 0x3F8;
inline constexpr std::uint16_t kRtcPort = 0x70;
inline constexpr std::uint16_t kI8042Port = 0x60;          ///< data; status and command at +4
inline constexpr std::uint16_t kPanicPort = 0x505;         ///< pvpanic
inline constexpr std::uint16_t kSleepControlPort = 0x600;  ///< ACPI sleep control register
inline constexpr std::uint16_t kSleepStatusPort = 0x601;
inline constexpr std::uint16_t kResetPort = 0x602;  ///< ACPI reset register
inline constexpr std::uint8_t kResetValue = 0x01;
inline constexpr std::uint8_t kSleepTypeS5 = 5;

// -- interrupt lines of the I/O APIC, which has 24
inline constexpr unsigned kInterruptLines = 24;
inline constexpr unsigned kSerialLine = 4;
inline constexpr unsigned kRtcLine = 8;
inline constexpr unsigned kEventDeviceLine = 9;
inline constexpr unsigned kFirstVirtioLine = 10;  ///< to the last; devices beyond share them

/// What a device that the guest finds through tables looks like.
struct VirtioSlot {
  GuestAddress address = 0;
  std::uint64_t size = kVirtioStride;
  unsigned line = 0;
};

/// The place of the n-th virtio device.
constexpr VirtioSlot virtio_slot(unsigned index) {
  return {kVirtioAddress + index * kVirtioStride, kVirtioStride,
          kFirstVirtioLine + index % (kInterruptLines - kFirstVirtioLine)};
}

/// The bits of the event device's register.
inline constexpr std::uint32_t kEventPowerButton = 1;
inline constexpr std::uint32_t kEventGenerationChanged = 2;

}  // namespace capsa::kvm
