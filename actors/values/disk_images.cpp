#include <backends/block/new_image.hpp>
#include <capsa/disk.hpp>

namespace capsa {
namespace {

block::ImageFormat block_format(const DiskImage& image) {
  return image.effective_format() == ImageFormat::Qcow2 ? block::ImageFormat::Qcow2
                                                        : block::ImageFormat::Raw;
}

}  // namespace

result<void> create_disk_image(const DiskImage& image, std::uint64_t bytes) {
  const std::string name = "disk " + image.path.string();
  if (image.is_remote())
    return error(ErrorCode::InvalidConfig, name + ": a disk at an NBD server is made there",
                 "give the path of a file that is not there yet");
  if (image.is_overlay)
    return error(ErrorCode::InvalidConfig, name + ": an overlay is made when its VM starts",
                 "make its base, and give that to overlay_of()");
  return block::create_image(image.path, block_format(image), bytes);
}

result<std::uint64_t> disk_size(const DiskImage& image) {
  if (image.is_remote())
    return error(ErrorCode::UnsupportedFeature,
                 "disk " + image.path.string() + ": a disk at an NBD server is not asked",
                 "its size is among the stats() of a VM that has it");
  return block::image_size(image.path, block_format(image));
}

}  // namespace capsa
