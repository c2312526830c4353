#pragma once

#include <capsa/result.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace capsa::guest {

/// Writes a cpio archive in the "newc" format that the kernel unpacks as its initramfs
/// (Documentation/driver-api/early-userspace/buffer-format.rst). The same calls give the same
/// bytes: times are 0, everything is root's, inodes are numbered as they come. Paths are relative,
/// and a directory comes before what is in it. Not thread-safe.
class CpioWriter {
 public:
  void directory(std::string_view path, unsigned permissions = 0755);
  void symlink(std::string_view path, std::string_view target);
  void character_device(std::string_view path, unsigned permissions, unsigned major,
                        unsigned minor);
  /// ResourceExhausted where the content has 4 GiB or more: the format's fields have 32 bits.
  result<void> file(std::string_view path, unsigned permissions, std::string_view content);

  /// Ends the archive and gives it away; the writer is empty then.
  std::string finish();

 private:
  void entry(std::string_view path, unsigned mode, std::string_view content, unsigned links,
             unsigned major, unsigned minor);
  void pad();

  std::string bytes_;
  std::uint32_t inode_ = 0;
};

}  // namespace capsa::guest
