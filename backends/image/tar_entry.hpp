#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace capsa::image {

/// One file of an archive, as the archive says: nothing in it has been judged, but that it can be
/// read, fits the caps, and that no name holds a NUL.
struct TarEntry {
  enum class Kind : std::uint8_t {
    File,
    HardLink,
    Symlink,
    CharacterDevice,
    BlockDevice,
    Directory,
    Fifo,
  };
  Kind kind = Kind::File;
  std::string path;
  std::string link;  ///< HardLink, Symlink
  std::uint64_t size = 0;
  std::uint32_t mode = 0;  ///< the lower 12 bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime = 0;  ///< seconds since 1970
  std::uint32_t mtime_nsec = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;  ///< full names, "user.mime_type"
};

}  // namespace capsa::image
