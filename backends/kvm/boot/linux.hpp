#pragma once

#include <backends/kvm/boot/gdt.hpp>
#include <backends/kvm/boot/guest_copy.hpp>
#include <backends/kvm/boot/ram.hpp>
#include <backends/memory/guest_memory.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace capsa::kvm {

/// How the first vCPU starts, as data. Interrupts are off (flags 0x2), the segments are those of
/// make_gdt(mode), and registers that are not named here are zero.
struct EntryState {
  using Mode = BootMode;
  BootMode mode = BootMode::ProtectedPvh;
  GuestAddress instruction_pointer = 0;
  /// ProtectedPvh: hvm_start_info, in rbx. Long64: boot_params, in rsi.
  GuestAddress start_info_or_params = 0;
  /// For CR3; 0 without paging.
  GuestAddress page_tables = 0;
  std::uint64_t cr0 = 0;
  std::uint64_t cr4 = 0;
  std::uint64_t efer = 0;
};

/// What a machine boots. The descriptors are borrowed, and only read at given offsets.
struct BootFiles {
  int kernel_fd = -1;
  int initrd_fd = -1;  ///< -1: none
  std::string command_line;
  std::optional<GuestAddress> rsdp;
  std::uint64_t memory_mb = 0;
  /// Pages of RAM that are the machine's (a generation id): neither the kernel nor the initrd lies
  /// there, and the guest is told to leave them alone.
  std::vector<AddressRange> reserved;
  /// All of the memory is zero still: what is to be zero need not be made so, which would give the
  /// guest memory that it has yet to touch.
  bool fresh = false;
};

/// Puts a kernel, its initrd, its command line and what it is told into the memory of a machine
/// whose vCPUs do not run: a vmlinux (ELF) enters by PVH, a bzImage by the 64-bit boot protocol.
/// Nobody who wrote the files is trusted: they are checked before the first byte is written, and no
/// byte of a kernel lands below 1 MiB. `memory` must have all of ram_ranges(memory_mb), each in one
/// region; unless `fresh` is said it may have been used, by a machine that was reset. After an
/// error the memory may hold anything. InvalidConfig: a damaged file, a command line that is too
/// long, too little memory. UnsupportedFeature: a kernel of another kind or architecture. Else the
/// code of the errno of reading. Blocks for as long as reading the files takes. Thread-safe for
/// different memories.
result<EntryState> load_linux(const memory::GuestMemory& memory, const BootFiles& files);

}  // namespace capsa::kvm
