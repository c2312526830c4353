#include <actors/values/text.hpp>
#include <capsa/disk.hpp>
#include <ostream>

namespace capsa {

bool DiskImage::is_remote() const {
  const std::string& text = path.native();
  return text.starts_with("nbd://") || text.starts_with("nbds://") ||
         text.starts_with("nbd+unix://") || text.starts_with("nbds+unix://");
}

ImageFormat DiskImage::effective_format() const {
  if (format) return *format;
  return path.extension() == ".qcow2" ? ImageFormat::Qcow2 : ImageFormat::Raw;
}

std::string to_string(ImageFormat format) {
  return format == ImageFormat::Raw ? "raw" : "qcow2";
}

std::string to_string(const DiskImage& image) {
  return "DiskImage{path=" + text::quote(image.path.native()) +
         ", format=" + (image.is_remote() ? "remote" : to_string(image.effective_format())) +
         ", read_only=" + (image.is_read_only ? "yes" : "no") +
         ", overlay=" + (image.is_overlay ? "yes" : "no") +
         ", serial=" + text::quote(image.serial) + "}";
}

std::ostream& operator<<(std::ostream& out, ImageFormat format) {
  return out << to_string(format);
}

std::ostream& operator<<(std::ostream& out, const DiskImage& image) {
  return out << to_string(image);
}

}  // namespace capsa
