#pragma once

#include <cstddef>
#include <cstdint>

namespace capsa::image {

/// What one layer may cost. Whoever made an image chose every number in it; these are far above
/// what real layers have, and bound what a made-up one can do to memory, disk and time.
struct LayerLimits {
  std::uint64_t unpacked_bytes = std::uint64_t{64} << 30;  ///< of the tar archive
  /// An archive may unpack to this many times what was read of it …
  std::uint64_t ratio = 200;
  /// … where it is larger than this: a small file of zeroes is no bomb.
  std::uint64_t ratio_free_bytes = std::uint64_t{256} << 20;
  std::uint64_t entries = 1'000'000;
  std::uint64_t name_bytes = std::uint64_t{64} << 20;  ///< of all names: they are kept in memory
  std::size_t path = 4096;                             ///< PATH_MAX of Linux
  std::size_t name = 255;                              ///< NAME_MAX of Linux
  std::size_t xattr_bytes = std::size_t{64} << 10;     ///< of one entry: XATTR_SIZE_MAX
  std::size_t header_bytes = std::size_t{1} << 20;     ///< of one extended header
};

}  // namespace capsa::image
