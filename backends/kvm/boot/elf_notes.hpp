#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace capsa::kvm {

/// The value of the note XEN_ELFNOTE_PHYS32_ENTRY (18) of the owner "Xen" among the notes of a
/// PT_NOTE segment (System V ABI, "Note Section"); none where there is no such note. Stops at the
/// first note that is cut short. `alignment`: the segment's; 8 pads to 8, anything else to 4.
std::optional<std::uint64_t> find_pvh_entry(std::span<const std::byte> notes,
                                            std::uint64_t alignment);

}  // namespace capsa::kvm
