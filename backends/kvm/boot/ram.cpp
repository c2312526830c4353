#include <algorithm>
#include <backends/kvm/boot/ram.hpp>
#include <limits>
#include <string>

namespace capsa::kvm {
namespace {

error bad_size(std::uint64_t memory_mb) {
  return {ErrorCode::InvalidConfig,
          "a machine cannot have " + std::to_string(memory_mb) + " MiB of memory",
          "give " + std::to_string(kMinMemoryMb) + " to " + std::to_string(kMaxMemoryMb) + " MiB"};
}

/// The reserved ranges, ascending; those that touch or overlap become one.
result<std::vector<AddressRange>> merge(std::vector<AddressRange> ranges) {
  for (const auto& range : ranges) {
    if (range.size == 0 || range.size > std::numeric_limits<std::uint64_t>::max() - range.address) {
      return error(ErrorCode::InvalidConfig, "the reserved range at " +
                                                 std::to_string(range.address) +
                                                 " is empty or ends beyond all addresses");
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  std::vector<AddressRange> merged;
  for (const auto& range : ranges) {
    if (merged.empty() || range.address > merged.back().end()) {
      merged.push_back(range);
    } else {
      auto& last = merged.back();
      last.size = std::max(last.end(), range.end()) - last.address;
    }
  }
  return merged;
}

/// What the reserved ranges leave of a piece of RAM.
void add_ram(std::vector<E820Entry>& map, AddressRange ram,
             std::span<const AddressRange> reserved) {
  GuestAddress at = ram.address;
  for (const auto& hole : reserved) {
    if (hole.end() <= at || hole.address >= ram.end()) continue;
    if (hole.address > at) map.push_back({at, hole.address - at, MemoryType::Ram});
    at = std::min(hole.end(), ram.end());
  }
  if (at < ram.end()) map.push_back({at, ram.end() - at, MemoryType::Ram});
}

}  // namespace

std::vector<RamRange> ram_ranges(std::uint64_t memory_mb) {
  if (memory_mb < kMinMemoryMb || memory_mb > kMaxMemoryMb) return {};
  const std::uint64_t size = memory_mb * kMiB;
  if (size <= kHoleStart) return {{0, size}};
  return {{0, kHoleStart}, {kHoleEnd, size - kHoleStart}};
}

result<std::vector<E820Entry>> memory_map(std::uint64_t memory_mb,
                                          std::span<const AddressRange> reserved) {
  const auto ranges = ram_ranges(memory_mb);
  if (ranges.empty()) return bad_size(memory_mb);
  constexpr GuestAddress kConventionalEnd = 0xA0000;  // then video memory
  std::vector<AddressRange> all(reserved.begin(), reserved.end());
  all.push_back({kLowMemoryEnd, kConventionalEnd - kLowMemoryEnd});
  all.push_back({kAcpiAddress, kAcpiSize});
  const auto holes = merge(std::move(all));
  if (!holes) return holes.error();

  std::vector<E820Entry> map;
  add_ram(map, {0, kConventionalEnd}, *holes);
  for (const auto& range : ranges) {
    const GuestAddress start = std::max(range.address, kHighMemoryStart);
    if (range.address < kHoleStart) add_ram(map, {start, range.end() - start}, *holes);
    if (range.address >= kHoleEnd) add_ram(map, range, *holes);
  }
  for (const auto& hole : *holes)
    map.push_back({hole.address, hole.size, MemoryType::Reserved});
  if (map.size() > kMaxMemoryMap) {
    return error(ErrorCode::InvalidConfig, "the memory map has " + std::to_string(map.size()) +
                                               " entries; a guest takes " +
                                               std::to_string(kMaxMemoryMap));
  }
  std::sort(map.begin(), map.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  return map;
}

}  // namespace capsa::kvm
