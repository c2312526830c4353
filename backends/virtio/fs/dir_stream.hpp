#pragma once

#include <backends/virtio/fs/outcome.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace capsa::virtio::fs {

/// Reads an open directory by getdents64(2), with the host's own offsets (d_off): they stay good
/// while entries come and go. Keeps what one call gave, since a reply holds fewer entries than a
/// call does.
class DirStream {
 public:
  struct Entry {
    std::uint64_t inode;
    std::int64_t next;      ///< the offset behind it
    std::uint8_t type;      ///< DT_*
    std::string_view name;  ///< ended by a NUL; valid until the next peek() after a consume()
  };

  /// Goes to an offset that an earlier entry had as `next`, or 0. Gives 0 or an errno.
  int seek(int fd, std::int64_t offset);
  /// The entry here, or nothing at the end.
  Outcome<std::optional<Entry>> peek(int fd);
  /// Goes past the entry that peek() gave.
  void consume() noexcept;

 private:
  /// Some 200 entries; small, since a guest decides how many directories are open.
  static constexpr std::size_t kBufferBytes = 8192;

  std::vector<std::byte> buffer_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::int64_t offset_ = 0;  // of the entry at at_
  bool finished_ = false;
};

}  // namespace capsa::virtio::fs
