#pragma once

#include <capsa/result.hpp>
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
  /// Whether `path` is only what the disk starts as at each boot: see overlay_of().
  bool is_overlay = false;
  /// At most 20 bytes; the guest finds the disk by it (/dev/disk/by-id/virtio-SERIAL). Empty:
  /// "capsa-" and the disk's name.
  std::string serial;

  DiskImage() = default;
  ///@{
  /// Implicit, so that a path can stand for a disk. The name tells the format.
  DiskImage(std::filesystem::path image) : path(std::move(image)) {}
  DiskImage(const char* image) : path(image) {}
  ///@}
  /// For an image whose name does not tell its format.
  static DiskImage with_format(std::filesystem::path image, ImageFormat format) {
    DiskImage out(std::move(image));
    out.format = format;
    return out;
  }

  /// A disk to throw away: it starts as what `base` holds and forgets what the guest writes when
  /// the VM ends. The base is only read, so any number of VMs may stand on one at a time; nothing
  /// else may write to it meanwhile. What is written goes into a qcow2 image without a name in
  /// RuntimeOptions::scratch_dir. `format` is the base's; empty: by its name. A qemu-storage-daemon
  /// serves it, whatever the base's format. With read_only() it is the base as it is.
  static DiskImage overlay_of(std::filesystem::path base,
                              std::optional<ImageFormat> format = std::nullopt) {
    DiskImage out(std::move(base));
    out.format = format;
    out.is_overlay = true;
    return out;
  }

  /// Also lets any number of VMs have it at a time.
  DiskImage read_only() && {
    is_read_only = true;
    return std::move(*this);
  }
  /// Sets `serial`.
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

/// Makes an image of so many bytes (a multiple of 512) that reads as zeroes and takes room on the
/// host only as it is written; of the disk's format. Needs no other program. InvalidConfig for a
/// size that cannot be, where there is something at that path already, for a remote disk and for an
/// overlay; else the code of the errno. Thread-safe.
result<void> create_disk_image(const DiskImage& image, std::uint64_t bytes);

/// How many bytes the guest of such a disk sees, rounded down to whole sectors of 512: of a raw
/// image as many as the file or block device has, of a qcow2 image what its header says. An overlay
/// is as large as its base. Takes no lock, so the image may be in use. InvalidConfig for what is no
/// image of that format, UnsupportedFeature for a remote disk. Thread-safe.
result<std::uint64_t> disk_size(const DiskImage& image);

///@{
/// "raw", "qcow2"; a disk as "DiskImage{…}" on one line, for people and logs.
std::string to_string(ImageFormat);
std::string to_string(const DiskImage&);
///@}
std::ostream& operator<<(std::ostream&, ImageFormat);
std::ostream& operator<<(std::ostream&, const DiskImage&);

}  // namespace capsa
