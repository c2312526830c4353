#include <backends/block/image_server.hpp>
#include <backends/block/qcow2.hpp>

namespace capsa::block {

result<void> check_image(const std::filesystem::path& image, ImageFormat format,
                         bool backing_given) {
  if (format != ImageFormat::Qcow2) return {};
  const auto header = read_qcow2_header(image);
  if (!header) return header.error();
  const std::string name = "disk " + image.string();
  if (header->external_data) {
    return error(ErrorCode::InvalidConfig, name + ": its data are in another file",
                 "convert it with qemu-img convert -O qcow2");
  }
  if (header->backing && !backing_given) {
    return error(ErrorCode::InvalidConfig, name + ": it needs a backing image",
                 "merge the two: qemu-img convert -O qcow2 IMAGE NEW-IMAGE");
  }
  return {};
}

}  // namespace capsa::block
