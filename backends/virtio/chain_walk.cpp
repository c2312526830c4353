#include <atomic>
#include <backends/virtio/chain_walk.hpp>
#include <bit>
#include <cstring>

namespace capsa::virtio {
namespace {

// virtio 1.2 is little-endian throughout; so is every host that we build for.
static_assert(std::endian::native == std::endian::little);

struct Descriptor {
  std::uint64_t address;
  std::uint32_t length;
  std::uint16_t flags;
  std::uint16_t next;
};
static_assert(sizeof(Descriptor) == 16);

constexpr std::uint16_t kNext = 1;
constexpr std::uint16_t kWrite = 2;
constexpr std::uint16_t kIndirect = 4;

/// virtio 1.2, 2.7.5.2: a chain carries at most 2^32 bytes. It also bounds what a chain that names
/// the same page again and again can make a device copy.
constexpr std::uint64_t kMaxChainBytes = 1ULL << 32;

Descriptor load(std::span<const std::byte> table, std::size_t index) {
  Descriptor copy;
  std::memcpy(&copy, table.data() + index * sizeof(Descriptor), sizeof(Descriptor));
  // The guest may write to it again: without this the compiler may read it again, too.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return copy;
}

class Walk {
 public:
  Walk(const memory::GuestMemory& memory, Chain& chain) : memory_(memory), chain_(chain) {}

  /// Follows one table from `index`. The words of the rule broken; empty where none was.
  std::string_view table(std::span<const std::byte> descriptors, std::size_t index,
                         bool may_be_indirect, bool inside_indirect) {
    const std::size_t count = descriptors.size() / sizeof(Descriptor);
    // More steps than descriptors means that one came twice.
    for (std::size_t steps = 0; steps < count; ++steps) {
      const Descriptor descriptor = load(descriptors, index);
      if ((descriptor.flags & kIndirect) != 0) {
        if (inside_indirect) return "an indirect table inside an indirect table";
        if (!may_be_indirect) return "an indirect table that was not agreed";
        return indirect(descriptor);
      }
      if (const auto why = buffer(descriptor); !why.empty()) return why;
      if ((descriptor.flags & kNext) == 0) return {};
      if (descriptor.next >= count) return "a next descriptor out of range";
      index = descriptor.next;
    }
    return "a cyclic chain";
  }

 private:
  std::string_view indirect(const Descriptor& descriptor) {
    // 2.7.5.3.1: no NEXT beside INDIRECT. 2.7.5.3.2: WRITE is ignored here.
    if ((descriptor.flags & kNext) != 0) return "a descriptor both indirect and continued";
    if (descriptor.length == 0 || descriptor.length % sizeof(Descriptor) != 0) {
      return "an indirect table of a broken length";
    }
    if (descriptor.length / sizeof(Descriptor) > kMaxIndirectLength) {
      return "an indirect table that is too long";
    }
    const auto inner = memory_.slice(descriptor.address, descriptor.length);
    if (!inner) return "an indirect table outside guest memory";
    return table(*inner, 0, false, true);
  }

  std::string_view buffer(const Descriptor& descriptor) {
    const bool writable = (descriptor.flags & kWrite) != 0;
    if (writable) {
      writing_ = true;
    } else if (writing_) {
      return "a readable buffer after a writable one";
    }
    bytes_ += descriptor.length;
    if (bytes_ > kMaxChainBytes) return "a chain of more than 4 GiB";
    auto& segments = writable ? chain_.writable : chain_.readable;
    std::uint64_t address = descriptor.address;
    // At most one turn per region, since each turn but the last ends where a region does. Whether
    // the address wraps is settled by the regions, which do not.
    for (std::uint64_t left = descriptor.length; left != 0;) {
      const auto part = memory_.slice_beginning(address, left);
      if (!part) return "a buffer outside guest memory";
      segments.push_back(*part);
      address += part->size();
      left -= part->size();
    }
    return {};
  }

  const memory::GuestMemory& memory_;
  Chain& chain_;
  std::uint64_t bytes_ = 0;
  bool writing_ = false;
};

}  // namespace

std::optional<Chain> walk_chain(const memory::GuestMemory& memory,
                                std::span<const std::byte> descriptors, std::uint16_t head,
                                bool indirect_agreed, std::string_view& why) {
  if (head >= descriptors.size() / sizeof(Descriptor)) {
    why = "a head out of range";
    return std::nullopt;
  }
  Chain chain;
  chain.head = head;
  why = Walk(memory, chain).table(descriptors, head, indirect_agreed, false);
  if (!why.empty()) return std::nullopt;
  return chain;
}

}  // namespace capsa::virtio
