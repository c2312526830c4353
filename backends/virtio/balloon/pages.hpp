#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace capsa::virtio::balloon {

/// A guest-physical address divided by 4096. Any value may come from the guest.
using PageNumber = std::uint32_t;

/// `count` pages from `first` on. The end may lie behind the largest page number.
struct PageRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  friend bool operator==(const PageRun&, const PageRun&) = default;
};

/// The runs that the pages make up, in order; a page that is named twice counts once. Sorts
/// `pages`: Linux takes them from its allocator one by one, often downwards.
std::vector<PageRun> merge(std::span<PageNumber> pages);

/// The whole pages of the host inside `bytes`; may be none.
std::span<std::byte> whole_pages(std::span<std::byte> bytes);

}  // namespace capsa::virtio::balloon
