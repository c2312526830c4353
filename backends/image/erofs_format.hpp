#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// EROFS on disk, as far as it is written here: include/linux/erofs_fs.h of Linux (6.1), all
// little-endian. An image is blocks of 4 KiB: the superblock lies at 1024 of the first; inodes lie
// at multiples of 32 bytes anywhere, their number being the multiple. Behind an inode come its
// extended attributes and, where the layout says so, the last piece of its content, which must not
// cross a block. Content before that is whole blocks in a row.

namespace capsa::image::erofs {

inline constexpr std::uint32_t kBlock = 4096;
inline constexpr std::uint32_t kBlockBits = 12;
inline constexpr std::uint32_t kSlot = 32;  ///< the unit of inode numbers
inline constexpr std::size_t kSuperOffset = 1024;
inline constexpr std::size_t kSuperBytes = 128;
inline constexpr std::uint32_t kMagic = 0xE0F5E1E2;
inline constexpr std::size_t kInodeBytes = 64;  ///< the extended one
inline constexpr std::size_t kDirentBytes = 12;
inline constexpr std::size_t kXattrHeaderBytes = 12;
inline constexpr std::size_t kXattrEntryBytes = 4;

/// Where the number of links is within an inode.
inline constexpr std::size_t kLinksOffset = 44;

enum class Layout : std::uint8_t { Plain = 0, Inline = 2 };

/// `file_type` of a directory's entries.
enum class FileType : std::uint8_t {
  Regular = 1,
  Directory = 2,
  CharacterDevice = 3,
  Fifo = 5,
  Symlink = 7,
};

/// What a name of an extended attribute begins with, which is not written out.
enum class XattrPrefix : std::uint8_t {
  User = 1,
  AclAccess = 2,
  AclDefault = 3,
  Trusted = 4,
  Security = 6,
};

template <class Number>
void put(std::span<std::byte> out, std::size_t offset, Number value) {
  for (std::size_t i = 0; i < sizeof(Number); ++i)
    out[offset + i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace capsa::image::erofs
