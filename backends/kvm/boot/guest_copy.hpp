#pragma once

#include <backends/kvm/boot/boot_file.hpp>
#include <backends/memory/guest_memory.hpp>
#include <cstdint>

namespace capsa::kvm {

/// Copies [offset, offset + size) of a file to `address` below kHoleStart, once, in pieces as large
/// as the kernel takes. Internal where there is no RAM; errors of BootFile::read().
result<void> copy_to_guest(const memory::GuestMemory& memory, const BootFile& file,
                           std::uint64_t offset, memory::GuestAddress address, std::uint64_t size);

}  // namespace capsa::kvm
