#pragma once

#include <array>
#include <backends/image/erofs_format.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace capsa::image {

/// What an inode says of itself beside its content.
struct FileAttributes {
  std::uint32_t mode = 0;  ///< the lower 12 bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime = 0;
  std::uint32_t mtime_nsec = 0;
  /// Full names; only those that xattr_prefix() knows.
  std::vector<std::pair<std::string, std::string>> xattrs;
};

/// Whether a name can be written, and as what. Null for others.
struct XattrName {
  erofs::XattrPrefix prefix;
  std::string_view rest;
};
std::optional<XattrName> xattr_name(std::string_view name);

/// An inode's number on disk.
using Nid = std::uint64_t;

/// One name of a directory.
struct DirectoryEntry {
  std::string_view name;
  Nid nid = 0;
  erofs::FileType type = erofs::FileType::Regular;
};

/// Writes an EROFS image as files come: the content of one after the other into the image's file,
/// so that nothing is unpacked on this host and no name of an archive ever meets its file system.
/// (mkfs.erofs of Debian 12, 1.5, reads directories only, not archives.) Directories come last,
/// when all names are known: first each gets a number by reserve_directory(), then its entries.
///
/// Uncompressed: the guest maps its pages straight from the disk, and a layer is read many times.
/// The order of calls is the caller's duty; nothing here depends on names.
class ErofsWriter {
 public:
  /// Into `fd`, an empty file open for reading and writing, which outlives this.
  explicit ErofsWriter(int fd) : fd_(fd) {}

  /// A file; `size` bytes by write() and then end_file(), which gives its number.
  result<void> begin_file(FileAttributes attributes, std::uint64_t size);
  result<void> write(std::span<const std::byte> bytes);
  result<Nid> end_file();
  result<Nid> add_symlink(const FileAttributes& attributes, std::string_view target);
  /// A FIFO, or the device 0:0, which overlayfs takes for "not here".
  result<Nid> add_fifo(const FileAttributes& attributes);
  result<Nid> add_whiteout();
  result<void> set_links(Nid nid, std::uint32_t links);

  /// A place for a directory that will have these attributes and whose names, with "." and "..",
  /// need `bytes` (directory_bytes()). The first one is the root.
  struct Place {
    Nid nid = 0;
    std::uint64_t size = 0;
    std::uint32_t first_block = 0;
    bool has_tail = false;
  };
  result<Place> reserve_directory(const FileAttributes& attributes, std::uint64_t bytes);
  /// `entries` sorted by name as bytes, "." and ".." among them.
  result<void> write_directory(const Place& place, const FileAttributes& attributes,
                               std::uint32_t links, std::span<const DirectoryEntry> entries);
  /// The superblock. `id` makes the file system's UUID. Gives the size of the image.
  result<std::uint64_t> finish(std::span<const std::byte, 16> id);

 private:
  struct Inode {
    std::uint32_t type = 0;  ///< S_IFMT
    std::uint64_t size = 0;
    std::uint32_t block = 0;
    std::uint32_t links = 1;
    erofs::Layout layout = erofs::Layout::Plain;
  };

  result<Nid> add_small(const FileAttributes& attributes, std::uint32_t type,
                        std::string_view content);
  result<std::uint64_t> reserve_record(std::uint64_t bytes);
  result<std::uint32_t> reserve_blocks(std::uint64_t bytes);
  std::vector<std::byte> make_record(const FileAttributes& attributes, const Inode& inode,
                                     std::span<const std::byte> tail);
  result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  int fd_;
  std::uint64_t next_block_ = 1;  // the first has the superblock and the root
  std::uint64_t record_ = 0;      // where the next record may go, within its block
  std::uint32_t inodes_ = 0;
  bool root_placed_ = false;

  // The file that is being written.
  FileAttributes attributes_;
  Inode inode_;
  std::uint64_t written_ = 0;
  std::vector<std::byte> tail_;
};

/// Bytes that a directory's content takes. `names` in their order.
std::uint64_t directory_bytes(std::span<const std::string_view> names);

}  // namespace capsa::image
