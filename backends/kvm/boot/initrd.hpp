#pragma once

#include <backends/kvm/boot/ram.hpp>
#include <cstdint>
#include <span>

namespace capsa::kvm {

/// Where an initrd of `size` bytes goes: as high as it can in RAM of `map` between 1 MiB and
/// `limit`, on a page of its own, without touching the kernel's room. InvalidConfig where it fits
/// nowhere; the error says how much memory would do. Pure.
result<AddressRange> place_initrd(std::span<const E820Entry> map, const AddressRange& kernel,
                                  GuestAddress limit, std::uint64_t size);

}  // namespace capsa::kvm
