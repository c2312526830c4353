#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace capsa::kvm {

/// \file Three calls whose structures end in a flexible array. The kernel's headers put an empty
/// structure before it, which has a size in C++ and none in C: there both the structure and the
/// call's number, which holds its size, would be wrong.

struct ListHead {
  std::uint32_t count = 0;
  std::uint32_t padding = 0;
};
inline constexpr unsigned long kGetSupportedCpuid = _IOWR(KVMIO, 0x05, ListHead);
inline constexpr unsigned long kSetCpuid2 = _IOW(KVMIO, 0x90, ListHead);
inline constexpr unsigned long kSetMsrs = _IOW(KVMIO, 0x89, ListHead);
inline constexpr unsigned long kSetSignalMask = _IOW(KVMIO, 0x8b, std::uint32_t);

/// A head and what follows it, as these calls take it.
template <class Head, class Entry>
std::vector<std::byte> with_entries(const Head& head, std::span<const Entry> entries) {
  std::vector<std::byte> out(sizeof head + entries.size_bytes());
  std::memcpy(out.data(), &head, sizeof head);
  if (!entries.empty()) std::memcpy(out.data() + sizeof head, entries.data(), entries.size_bytes());
  return out;
}

}  // namespace capsa::kvm
