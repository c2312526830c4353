#pragma once

#include <backends/block/image_server.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <filesystem>

namespace capsa::block {

/// Makes an image of so many bytes, a multiple of 512, that reads as zeroes: a raw one is all hole.
/// InvalidConfig for a size that cannot be, where there is something at that path, and for formats
/// other than raw and qcow2; else the code of the errno. Leaves nothing behind where it fails.
result<void> create_image(const std::filesystem::path& path, ImageFormat format,
                          std::uint64_t bytes);

/// An empty qcow2 image in a file without a name: it takes room in `directory` as it is written,
/// and is gone with the last descriptor of it, however its holders end.
result<UniqueFd> create_unnamed_qcow2(const std::filesystem::path& directory, std::uint64_t bytes);

/// The size of the disk in an image, rounded down to whole sectors of 512. Looks at a raw image's
/// file or device, reads a qcow2 image's header. Takes no lock. InvalidConfig where it is no such
/// image, and for other formats; else the code of the errno.
result<std::uint64_t> image_size(const std::filesystem::path& path, ImageFormat format);

}  // namespace capsa::block
