#include <algorithm>
#include <array>
#include <backends/kvm/boot/initrd.hpp>
#include <string>

namespace capsa::kvm {
namespace {

struct Bounds {
  GuestAddress begin = 0;
  GuestAddress end = 0;
};

constexpr GuestAddress page_down(GuestAddress address) {
  return address / kPageSize * kPageSize;
}
/// For addresses of RAM and sizes that may lie there, which do not wrap.
constexpr GuestAddress page_up(GuestAddress address) {
  return page_down(address + kPageSize - 1);
}

std::string mib(std::uint64_t bytes) {
  return std::to_string(bytes / kMiB + (bytes % kMiB != 0 ? 1 : 0)) + " MiB";
}

error no_place(std::span<const E820Entry> map, const AddressRange& kernel, GuestAddress limit,
               std::uint64_t size) {
  // What is reserved takes its part again in a larger machine.
  std::uint64_t reserved = 0;
  for (const auto& entry : map) {
    if (entry.type == MemoryType::Reserved && entry.address >= kHighMemoryStart &&
        entry.address < limit)
      reserved += page_up(std::min<std::uint64_t>(entry.size, limit)) + kPageSize;
  }
  std::string hint = "use a smaller initrd";
  // First compared so: a file's size may be anything, and sums of it wrap.
  if (size <= limit && page_up(kernel.end()) + page_up(size) + reserved <= limit) {
    hint += ", or give the machine at least " +
            mib(page_up(kernel.end()) + page_up(size) + reserved) + " of memory";
  }
  return {ErrorCode::InvalidConfig,
          "the initrd of " + mib(size) + " does not fit beside the kernel, which needs " +
              mib(kernel.size) + " up to the address of " + mib(kernel.end()),
          std::move(hint)};
}

}  // namespace

result<AddressRange> place_initrd(std::span<const E820Entry> map, const AddressRange& kernel,
                                  GuestAddress limit, std::uint64_t size) {
  limit = std::min(limit, kHoleStart);
  for (auto entry = map.rbegin(); entry != map.rend(); ++entry) {
    if (entry->type != MemoryType::Ram) continue;
    const Bounds ram{std::max(entry->address, kHighMemoryStart), std::min(entry->end(), limit)};
    const std::array<Bounds, 2> around{{{std::max(ram.begin, kernel.end()), ram.end},
                                        {ram.begin, std::min(ram.end, kernel.address)}}};
    for (const auto& free : around) {
      const GuestAddress begin = page_up(free.begin);
      const GuestAddress end = page_down(free.end);
      if (end < begin || end - begin < size) continue;
      return AddressRange{page_down(end - size), size};
    }
  }
  return no_place(map, kernel, limit, size);
}

}  // namespace capsa::kvm
