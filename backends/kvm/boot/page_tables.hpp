#pragma once

#include <backends/kvm/layout.hpp>
#include <backends/memory/guest_memory.hpp>

namespace capsa::kvm {

/// PML4, PDPT and four page directories.
inline constexpr std::uint64_t kPageTablesSize = 6 * 4096;

/// Writes an identity map of the first 4 GiB in pages of 2 MiB to kPageTablesAddress (Intel SDM
/// volume 3, 4.5), for a kernel that is entered in 64-bit mode and soon makes its own. False where
/// the machine has no RAM there.
bool write_page_tables(const memory::GuestMemory& memory);

}  // namespace capsa::kvm
