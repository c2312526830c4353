#pragma once

#include <backends/kvm/boot/boot_file.hpp>
#include <backends/memory/guest_memory.hpp>
#include <cstdint>

namespace capsa::kvm {

/// The file that the machine's RAM at address 0 is a mapping of, where the caller has it at hand.
/// Copying from file to file takes no page fault for each page of a kernel, which is most of what
/// loading one costs. Borrowed. Its position moves: whoever else has it open must only map it.
struct LowMemoryFile {
  int fd = -1;               ///< -1: not given
  std::uint64_t offset = 0;  ///< where in the file the guest's address 0 lies
};

/// Copies [offset, offset + size) of a file to `address` below kHoleStart, once, in pieces as large
/// as the kernel takes. Internal where there is no RAM; errors of BootFile::read().
result<void> copy_to_guest(const memory::GuestMemory& memory, const LowMemoryFile& low_memory,
                           const BootFile& file, std::uint64_t offset, memory::GuestAddress address,
                           std::uint64_t size);

}  // namespace capsa::kvm
