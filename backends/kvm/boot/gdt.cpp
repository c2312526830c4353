#include <backends/kvm/boot/gdt.hpp>

namespace capsa::kvm {
namespace {

// Present, base 0, limit 4 GiB in pages, accessed: the CPU writes to no table of the guest's.
constexpr std::uint64_t kCode32 = 0x00CF'9B00'0000'FFFF;
constexpr std::uint64_t kCode64 = 0x00AF'9B00'0000'FFFF;
constexpr std::uint64_t kData = 0x00CF'9300'0000'FFFF;
constexpr std::uint64_t kTask = 0x0000'8B00'0000'0067;

}  // namespace

Gdt make_gdt(BootMode mode) noexcept {
  return {0, 0, mode == BootMode::Long64 ? kCode64 : kCode32, kData, kTask, 0};
}

Segment segment_of(const Gdt& gdt, std::uint16_t selector) noexcept {
  const std::uint64_t entry = gdt[selector / sizeof(std::uint64_t)];
  const auto bit = [entry](unsigned at) { return ((entry >> at) & 1) != 0; };
  Segment segment;
  segment.base = ((entry >> 16) & 0xFF'FFFF) | ((entry >> 56) << 24);
  segment.granularity = bit(55);
  segment.limit = static_cast<std::uint32_t>((entry & 0xFFFF) | ((entry >> 32) & 0xF'0000));
  if (segment.granularity) segment.limit = segment.limit << 12 | 0xFFF;
  segment.selector = selector;
  segment.type = (entry >> 40) & 0xF;
  segment.code_or_data = bit(44);
  segment.privilege = (entry >> 45) & 3;
  segment.present = bit(47);
  segment.available = bit(52);
  segment.long_mode = bit(53);
  segment.default_big = bit(54);
  return segment;
}

}  // namespace capsa::kvm
