#include <linux/elf.h>

#include <backends/kvm/boot/elf_notes.hpp>
#include <cstring>

namespace capsa::kvm {
namespace {

constexpr std::uint32_t kNotePhys32Entry = 18;
constexpr char kOwner[4] = {'X', 'e', 'n', '\0'};

}  // namespace

std::optional<std::uint64_t> find_pvh_entry(std::span<const std::byte> notes,
                                            std::uint64_t alignment) {
  const std::uint64_t mask = alignment == 8 ? 7 : 3;
  const auto padded = [mask](std::uint64_t size) { return (size + mask) & ~mask; };
  Elf64_Nhdr header;
  while (notes.size() >= sizeof header) {
    std::memcpy(&header, notes.data(), sizeof header);
    // Sums of 32-bit numbers: nothing wraps in 64.
    const std::uint64_t value_at = padded(sizeof header + std::uint64_t{header.n_namesz});
    const std::uint64_t end = value_at + header.n_descsz;
    if (end > notes.size()) return {};
    if (header.n_type == kNotePhys32Entry && header.n_namesz == sizeof kOwner &&
        std::memcmp(notes.data() + sizeof header, kOwner, sizeof kOwner) == 0 &&
        (header.n_descsz == 4 || header.n_descsz == 8)) {
      std::uint64_t value = 0;
      std::memcpy(&value, notes.data() + value_at, header.n_descsz);
      return value;
    }
    if (padded(end) > notes.size()) return {};
    notes = notes.subspan(padded(end));
  }
  return {};
}

}  // namespace capsa::kvm
