#pragma once

#include <backends/image/limits.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace capsa::image {

/// A layer as an image names it: where its archive lies, and what must be in there.
struct LayerBlob {
  std::filesystem::path file;
  std::string digest;      ///< of the file
  std::uint64_t size = 0;  ///< of the file
  std::string diff_id;     ///< of the tar archive in it
};

/// Reads a layer once, checks it on the way, and makes an EROFS image of it in `target`, which must
/// not exist yet; gives that one's bytes. It is on the disk when this returns; the caller renames
/// it into place. Where there is an error, `target` is gone again, and nothing else was touched.
///
/// The message begins with "layer DIGEST: ". InvalidConfig where the size or a digest is another
/// one, the archive is damaged, an entry is refused (see LayerTree), or a limit is passed.
/// `progress` is told how many bytes of the file were read. Blocks.
result<std::uint64_t> unpack_layer(const LayerBlob& blob, const std::filesystem::path& target,
                                   const LayerLimits& limits,
                                   const std::function<void(std::uint64_t)>& progress = {});

}  // namespace capsa::image
