#pragma once

#include <backends/kvm/boot/ram.hpp>
#include <backends/memory/guest_memory.hpp>
#include <cstddef>
#include <optional>
#include <span>

namespace capsa::kvm {

/// What a kernel is told, by either protocol. All of it is ours and has been checked; the command
/// line lies at kCommandLineAddress.
struct Handover {
  std::span<const E820Entry> map;  ///< at most kMaxMemoryMap
  std::optional<AddressRange> initrd;
  std::optional<GuestAddress> rsdp;
};

/// Writes hvm_start_info version 1, its memory map and its one module, the initrd, to
/// kStartInfoAddress (Xen, public/arch-x86/hvm/start_info.h). False where the machine has no RAM
/// there.
bool write_start_info(const memory::GuestMemory& memory, const Handover& handover);

/// Writes boot_params to kZeroPageAddress (Documentation/arch/x86/zero-page.rst): the kernel's own
/// `setup_header` as it lies at 0x1f1 of the file, with what a boot loader has to fill in.
/// `kernel` is where its protected-mode code lies. False where the machine has no RAM there.
bool write_boot_params(const memory::GuestMemory& memory, const Handover& handover,
                       std::span<const std::byte> setup_header, GuestAddress kernel);

}  // namespace capsa::kvm
