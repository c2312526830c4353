#pragma once

#include <capsa/result.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace capsa::guest {

/// Tells contents apart, not friend from foe: 64-bit FNV-1a in hexadecimal. What it names lies in a
/// cache that only its owner writes.
class ContentKey {
 public:
  void add(std::string_view bytes) noexcept {
    for (const char c : bytes) {
      state_ ^= static_cast<unsigned char>(c);
      state_ *= 0x100000001b3;
    }
  }
  std::string text() const;

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

std::string content_key(std::string_view bytes);

/// Key of a file's content. A file that is the same by device, inode, size and time of change is
/// read once per process. NotFound, PermissionDenied or IoError from the host. Thread-safe.
result<std::string> file_key(const std::filesystem::path& file);

}  // namespace capsa::guest
