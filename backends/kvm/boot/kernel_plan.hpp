#pragma once

#include <backends/kvm/boot/boot_file.hpp>
#include <backends/kvm/boot/guest_copy.hpp>
#include <backends/kvm/boot/ram.hpp>
#include <backends/memory/guest_memory.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace capsa::kvm {

/// Where a kernel's file wants to lie and how it is entered, as the file says and as far as it can
/// be checked without a machine: what it reads lies in the file and nothing wraps.
struct KernelPlan {
  /// [offset, offset + file_size) of the file at `address`, then zeros up to memory_size.
  struct Piece {
    std::uint64_t offset = 0;
    std::uint64_t file_size = 0;
    GuestAddress address = 0;
    std::uint64_t memory_size = 0;
  };

  std::vector<Piece> pieces;
  /// What the kernel writes to before it knows the memory map: all of its pieces, and the room that
  /// it unpacks itself into. Begins at or above 1 MiB.
  AddressRange room;
  GuestAddress entry = 0;  ///< in the bytes of a piece
  /// The first address that the initrd must not reach.
  GuestAddress initrd_limit = kHoleStart;
  std::uint64_t command_line_limit = kCommandLineSize - 1;  ///< bytes without the zero
  /// The set-up header of a bzImage, as it begins at 0x1f1 of the zero page. Empty: an ELF file,
  /// entered by PVH.
  std::vector<std::byte> setup_header;
};

/// An ELF64 vmlinux or a bzImage; see plan_elf() and plan_bzimage(). UnsupportedFeature for what
/// else kernels come as, InvalidConfig for what is none.
result<KernelPlan> plan_kernel(const BootFile& file);

/// A vmlinux: PT_LOAD segments by physical address, entered at XEN_ELFNOTE_PHYS32_ENTRY of its
/// notes (Xen, docs/misc/pvh.pandoc). InvalidConfig for a damaged file, UnsupportedFeature for
/// another architecture or a kernel without that entry.
result<KernelPlan> plan_elf(const BootFile& file);

/// A bzImage for the 64-bit boot protocol 2.12 or later (Documentation/arch/x86/boot.rst). Errors
/// as plan_elf().
result<KernelPlan> plan_bzimage(const BootFile& file);

/// Whether the room is RAM of this memory map and not reserved. InvalidConfig says how much memory
/// would do.
result<void> check_room(const BootFile& file, const KernelPlan& plan,
                        std::span<const E820Entry> map);

/// Copies the pieces, once, from the file into guest memory. What is to be zero is made so,
/// whatever was there, unless the memory is fresh and is zero. Errors of copy_to_guest().
result<void> load_kernel(const memory::GuestMemory& memory, const BootFile& file,
                         const KernelPlan& plan, bool fresh);

}  // namespace capsa::kvm
