#include <backends/kvm/boot/page_tables.hpp>
#include <cstddef>
#include <span>
#include <vector>

namespace capsa::kvm {

bool write_page_tables(const memory::GuestMemory& memory) {
  constexpr std::size_t kEntries = 512;
  constexpr std::size_t kDirectories = 4;
  constexpr std::uint64_t kTable = 4096;
  constexpr std::uint64_t kPresentWritable = 3;
  constexpr std::uint64_t kLargePage = 0x80;
  constexpr std::uint64_t kLargePageSize = 2 << 20;

  std::vector<std::uint64_t> tables(kPageTablesSize / sizeof(std::uint64_t));
  tables[0] = (kPageTablesAddress + kTable) | kPresentWritable;
  for (std::size_t i = 0; i < kDirectories; ++i)
    tables[kEntries + i] = (kPageTablesAddress + (2 + i) * kTable) | kPresentWritable;
  for (std::size_t i = 0; i < kDirectories * kEntries; ++i)
    tables[2 * kEntries + i] = i * kLargePageSize | kLargePage | kPresentWritable;
  return memory.write(kPageTablesAddress, std::as_bytes(std::span(tables)));
}

}  // namespace capsa::kvm
