#pragma once

#include <backends/hypervisor.hpp>
#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::qemu {

enum class Accelerator : std::uint8_t {
  Tcg,  ///< emulation: runs anywhere; QEMU makes no security promise for it
  Kvm,
};

/// The machine's virtio-mmio transports (hw/i386/microvm.c): 8, or 24 where a second I/O APIC,
/// which needs ACPI to be found, carries their interrupts. A PC has more room on its PCI bus, and
/// is given no more.
inline constexpr std::size_t kVirtioSlots = 8;
inline constexpr std::size_t kVirtioSlotsAcpi = 24;

/// x86's COMMAND_LINE_SIZE is 2048 with the terminating zero; the kernel would cut the rest off
/// without a word.
inline constexpr std::size_t kMaxKernelCommandLine = 2047;

/// A descriptor that QEMU inherits: `source` here becomes `number` there.
struct FdAssignment {
  int source = -1;  ///< kControlSocket, or one of the spec's; borrowed
  int number = -1;

  friend bool operator==(const FdAssignment&, const FdAssignment&) = default;
};

/// The source of the QMP connection, which the caller makes.
inline constexpr int kControlSocket = -1;

/// How to call qemu-system-x86_64: its arguments, without the program's own name, and its
/// descriptors, numbered without a gap from 3.
struct CommandLine {
  std::vector<std::string> arguments;
  std::vector<FdAssignment> fds;
};

/// The command line for a machine: microvm with a kernel, or a PC (q35) with firmware; memory
/// shared for vhost-user, everything connected by inherited sockets, sandboxed, no default device,
/// no monitor but QMP. It is the same for every version from kOldestQemu on. The event that says
/// how a guest ended always arrives: the guest waits for "cont" (-S), hence for the control
/// connection, and its end is not QEMU's (-no-shutdown), for QEMU 7.2 may hang on its way out if a
/// QMP command is in flight. A reset ends the machine with either (-no-reboot). InvalidConfig names
/// the field that cannot be had.
result<CommandLine> build_command_line(const hypervisor::MachineSpec& spec,
                                       Accelerator accelerator);

/// How many virtio devices the machine has.
std::size_t virtio_slots_needed(const hypervisor::MachineSpec& spec);

/// A value in a comma-separated option: QEMU reads ",," as one comma.
std::string escape_option(std::string_view value);

}  // namespace capsa::qemu
