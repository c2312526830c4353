#pragma once

#include <backends/kvm/layout.hpp>
#include <capsa/result.hpp>
#include <cstddef>
#include <optional>
#include <vector>

namespace capsa::kvm {

/// CPUs have the APIC ids 0 to 254: 255 is the address of all of them, and what lies above needs
/// x2APIC, which these tables do not speak of.
inline constexpr unsigned kMaxCpus = 255;

/// Each has a name of three hexadecimal digits. Far fewer fit into the BIOS area.
inline constexpr std::size_t kMaxVirtioSlots = 0x1000;

/// What the guest is told of our machine by its tables. All of it is the host's own choice; the
/// checks are there to find our mistakes before a guest has to.
struct MachineTables {
  unsigned cpus = 1;
  std::vector<VirtioSlot> virtio;
  bool power_button = true;
  /// Where the generation id lies: 16 bytes of RAM, at a multiple of 8, that the guest's kernel
  /// does not take for its own (so reserved in its memory map).
  std::optional<GuestAddress> generation_id;
};

/// InvalidConfig names what is out of its range: the number of CPUs, a slot that does not lie
/// below 4 GiB or whose line is no virtio line, the address of the generation id.
/// ResourceExhausted where there are more slots than names for them.
result<void> check(const MachineTables& machine);

}  // namespace capsa::kvm
