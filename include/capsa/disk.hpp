#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>

namespace capsa {

/// How the bytes of a disk image are laid out in its file. Always said or told by the name, never
/// probed: a guest that writes another format's header to its raw disk must not get it opened so.
enum class ImageFormat : std::uint8_t {
  Raw,    ///< the bytes of the disk, as they are
  Qcow2,  ///< QEMU's format, served by a qemu-storage-daemon that is started and ended for it
};

/// A disk for a VM: an image file or block device of the host, or a disk at an NBD server.
struct DiskImage {
  /// Relative paths start at the program's working directory. A remote disk's URI.
  std::filesystem::path path;
  /// Empty: by the extension (`.qcow2`), else raw.
  std::optional<ImageFormat> format;
  bool is_read_only = false;  ///< enforced on the host
  /// At most 20 bytes; the guest finds the disk by it (/dev/disk/by-id/virtio-SERIAL). Empty:
  /// "capsa-" and the disk's name.
  std::string serial;

  DiskImage() = default;
  DiskImage(std::filesystem::path image) : path(std::move(image)) {}
  DiskImage(const char* image) : path(image) {}
  static DiskImage with_format(std::filesystem::path image, ImageFormat format) {
    DiskImage out(std::move(image));
    out.format = format;
    return out;
  }

  DiskImage read_only() && {
    is_read_only = true;
    return std::move(*this);
  }
  DiskImage with_serial(std::string value) && {
    serial = std::move(value);
    return std::move(*this);
  }

  /// Whether `path` is the URI of an NBD server: nbd://HOST[:PORT]/EXPORT, nbds://…, or
  /// nbd+unix:///EXPORT?socket=PATH.
  bool is_remote() const;
  /// What `format` says, or the name.
  ImageFormat effective_format() const;

  friend bool operator==(const DiskImage&, const DiskImage&) = default;
};

std::string to_string(ImageFormat);
std::string to_string(const DiskImage&);
std::ostream& operator<<(std::ostream&, ImageFormat);
std::ostream& operator<<(std::ostream&, const DiskImage&);

}  // namespace capsa
