#pragma once

#include <backends/kvm/layout.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <span>
#include <vector>

namespace capsa::kvm {

/// [address, address + size); never wraps where a function here gives it.
struct AddressRange {
  GuestAddress address = 0;
  std::uint64_t size = 0;

  constexpr GuestAddress end() const noexcept { return address + size; }
  bool operator==(const AddressRange&) const = default;
};
using RamRange = AddressRange;

inline constexpr std::uint64_t kMiB = 1 << 20;
inline constexpr std::uint64_t kPageSize = 4096;

/// Below this no distribution's kernel fits beside its initrd.
inline constexpr std::uint64_t kMinMemoryMb = 32;
/// 64 GiB. A limit of ours, not of what is written here: as far as machines are tested. Every CPU
/// with nested paging reaches further (39 bits of address).
inline constexpr std::uint64_t kMaxMemoryMb = 64 * 1024;

/// RAM of a machine with this many MiB: [0, min(size, 3 GiB)) and what is beyond that from 4 GiB
/// on. Empty where the size is not in kMinMemoryMb to kMaxMemoryMb. Pure.
std::vector<RamRange> ram_ranges(std::uint64_t memory_mb);

/// The address range types of ACPI 6.4, table 15.374; e820 and PVH use the same.
enum class MemoryType : std::uint32_t { Ram = 1, Reserved = 2 };

struct E820Entry {
  GuestAddress address = 0;
  std::uint64_t size = 0;
  MemoryType type = MemoryType::Ram;

  constexpr GuestAddress end() const noexcept { return address + size; }
  bool operator==(const E820Entry&) const = default;
};

/// What the zero page has room for (E820_MAX_ENTRIES_ZEROPAGE). Linux copies a PVH map into the
/// same table and adds an entry of its own without looking.
inline constexpr std::size_t kMaxMemoryMap = 127;

/// What the guest is told of its memory, ascending, without overlaps: conventional memory, the EBDA
/// with the MP table and the BIOS area reserved, RAM, and the caller's `reserved` ranges (a page of
/// the generation id, say) cut out of it. InvalidConfig for a size out of range, for a range that
/// is empty or wraps, and where there are more than kMaxMemoryMap entries. Pure.
result<std::vector<E820Entry>> memory_map(std::uint64_t memory_mb,
                                          std::span<const AddressRange> reserved);

}  // namespace capsa::kvm
