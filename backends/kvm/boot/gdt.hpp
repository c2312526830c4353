#pragma once

#include <array>
#include <cstdint>

namespace capsa::kvm {

/// How the first vCPU is started.
enum class BootMode : std::uint8_t {
  ProtectedPvh,  ///< 32-bit protected mode without paging (Xen, docs/misc/pvh.pandoc)
  Long64,        ///< 64-bit mode on identity page tables (Linux's 64-bit boot protocol)
};

/// The selectors are those of the boot protocol (__BOOT_CS, __BOOT_DS); PVH leaves them open.
inline constexpr std::uint16_t kCodeSelector = 0x10;
inline constexpr std::uint16_t kDataSelector = 0x18;
inline constexpr std::uint16_t kTaskSelector = 0x20;

/// A segment descriptor taken apart (Intel SDM volume 3, 3.4.5), as a CPU keeps it.
struct Segment {
  std::uint64_t base = 0;
  std::uint32_t limit = 0;  ///< in bytes, whatever the granularity
  std::uint16_t selector = 0;
  std::uint8_t type = 0;
  bool code_or_data = false;  ///< S; else a system segment
  std::uint8_t privilege = 0;
  bool present = false;
  bool long_mode = false;    ///< L
  bool default_big = false;  ///< D/B
  bool granularity = false;  ///< G
  bool available = false;    ///< AVL

  bool operator==(const Segment&) const = default;
};

/// Null, unused, flat code, flat data, a busy task of 0x67 bytes at 0 that is never switched to,
/// and its upper half, which is zero. Six entries of 8 bytes for kGdtAddress.
using Gdt = std::array<std::uint64_t, 6>;
Gdt make_gdt(BootMode mode) noexcept;

/// The entry of a selector, as the CPU would load it; only for selectors within the table.
Segment segment_of(const Gdt& gdt, std::uint16_t selector) noexcept;

}  // namespace capsa::kvm
