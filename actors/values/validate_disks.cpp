#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <actors/values/text.hpp>
#include <actors/values/validate_parts.hpp>
#include <cerrno>
#include <system_error>

namespace capsa::values {
namespace {

using text::quote;

constexpr std::size_t kMaxSerial = 20;  // virtio 1.2, 5.2.6: VIRTIO_BLK_T_GET_ID

/// Whether the host's file stays as it is.
bool only_read(const DiskImage& image) {
  return image.is_read_only || image.is_overlay;
}

result<void> validate_image(const std::string& field, const DiskImage& image) {
  const std::string hint = "give the path of an image file or block device of the host";
  if (image.path.empty()) return refused(field, "the path is empty", hint);
  const std::string given = quote(image.path.native());
  if (image.path.native().find('\0') != std::string::npos)
    return refused(field, "the path " + given + " holds a NUL byte", hint);
  if (image.serial.size() > kMaxSerial || text::has_control_character(image.serial))
    return refused(
        field,
        "the serial " + quote(image.serial) + " was given; at most 20 printable bytes are allowed",
        "choose a shorter one");
  if (image.is_remote()) {
    if (image.is_overlay)
      return refused(field, "an overlay was asked for of a disk at an NBD server",
                     "give an image file or block device of the host as its base");
    if (!image.format || *image.format == ImageFormat::Raw) return {};
    return refused(field, "a format was given for a disk at an NBD server, which gives bytes",
                   "leave the format out");
  }
  struct stat info {};
  if (::stat(image.path.c_str(), &info) != 0)
    return refused(field, given + ": " + std::generic_category().message(errno), hint);
  if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
    return refused(field, given + " is neither a file nor a block device", hint);
  const bool read = only_read(image);
  if (::access(image.path.c_str(), read ? R_OK : R_OK | W_OK) != 0)
    return refused(field, given + " may not be " + (read ? "read" : "written") + " by this program",
                   read ? "let it read the file" : "let it, or add read_only()");
  return {};
}

}  // namespace

result<void> validate_disks(const VmConfig& config, const ValidateContext& context) {
  std::vector<std::pair<std::string, const DiskImage*>> all;
  if (context.boot && context.boot->root_disk)
    all.emplace_back("root disk", &*context.boot->root_disk);
  if (context.uefi) all.emplace_back("boot disk", &context.uefi->disk);
  for (std::size_t i = 0; i != config.disks.size(); ++i)
    all.emplace_back("disk " + std::to_string(i + 1), &config.disks[i]);
  for (std::size_t i = 0; i != all.size(); ++i) {
    const auto& [field, image] = all[i];
    if (auto ok = validate_image(field, *image); !ok) return ok;
    for (std::size_t j = 0; j != i; ++j) {
      if (all[j].second->path != image->path || image->is_remote()) continue;
      if (only_read(*all[j].second) && only_read(*image)) continue;
      return refused(field, quote(image->path.native()) + " is the " + all[j].first + " already",
                     "two disks may share an image only where both are read-only or overlays");
    }
  }
  return {};
}

}  // namespace capsa::values
