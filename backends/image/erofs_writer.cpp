#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <backends/image/erofs_writer.hpp>
#include <cerrno>
#include <cstring>

namespace capsa::image {

using namespace erofs;

namespace {

constexpr std::uint64_t kRootOffset = kSuperOffset + kSuperBytes;

/// Bytes of an inode's extended attributes, and how the inode counts them.
std::uint64_t xattr_bytes(const FileAttributes& attributes) {
  if (attributes.xattrs.empty()) return 0;
  std::uint64_t bytes = kXattrHeaderBytes;
  for (const auto& [name, value] : attributes.xattrs)
    bytes += round_up(kXattrEntryBytes + xattr_name(name)->rest.size() + value.size(), 4);
  return bytes;
}

std::uint16_t xattr_count(std::uint64_t bytes) {
  return static_cast<std::uint16_t>(bytes == 0 ? 0 : (bytes - kXattrHeaderBytes) / 4 + 1);
}

/// Whether `tail` bytes fit behind an inode in one block with it.
bool fits_inline(std::uint64_t head, std::uint64_t tail) {
  return tail != 0 && head + tail <= kBlock;
}

}  // namespace

std::optional<XattrName> xattr_name(std::string_view name) {
  const auto under = [&](std::string_view prefix, XattrPrefix what) -> std::optional<XattrName> {
    if (!name.starts_with(prefix) || name.size() == prefix.size()) return std::nullopt;
    return XattrName{what, name.substr(prefix.size())};
  };
  if (auto found = under("user.", XattrPrefix::User)) return found;
  if (auto found = under("trusted.", XattrPrefix::Trusted)) return found;
  if (auto found = under("security.", XattrPrefix::Security)) return found;
  if (name == "system.posix_acl_access") return XattrName{XattrPrefix::AclAccess, {}};
  if (name == "system.posix_acl_default") return XattrName{XattrPrefix::AclDefault, {}};
  return std::nullopt;
}

result<void> ErofsWriter::begin_file(FileAttributes attributes, std::uint64_t size) {
  attributes_ = std::move(attributes);
  inode_ = {.type = S_IFREG, .size = size};
  written_ = 0;
  tail_.clear();
  const std::uint64_t head = kInodeBytes + xattr_bytes(attributes_);
  const bool has_tail = fits_inline(head, size % kBlock);
  if (has_tail) inode_.layout = Layout::Inline;
  auto block = reserve_blocks(has_tail ? size - size % kBlock : size);
  if (!block) return block.error();
  inode_.block = *block;
  return {};
}

result<void> ErofsWriter::write(std::span<const std::byte> bytes) {
  if (bytes.size() > inode_.size - written_)
    return error(ErrorCode::Internal, "a file of an image is longer than it was to be");
  const std::uint64_t body =
      inode_.layout == Layout::Inline ? inode_.size - inode_.size % kBlock : inode_.size;
  const auto direct = static_cast<std::size_t>(
      std::min<std::uint64_t>(bytes.size(), body - std::min(body, written_)));
  if (direct != 0) {
    const std::uint64_t at = std::uint64_t{inode_.block} * kBlock + written_;
    if (auto done = write_at(at, bytes.first(direct)); !done) return done;
  }
  tail_.insert(tail_.end(), bytes.begin() + static_cast<std::ptrdiff_t>(direct), bytes.end());
  written_ += bytes.size();
  return {};
}

result<Nid> ErofsWriter::end_file() {
  if (written_ != inode_.size)
    return error(ErrorCode::Internal, "a file of an image is shorter than it was to be");
  const auto record = make_record(attributes_, inode_, tail_);
  auto at = reserve_record(record.size());
  if (!at) return at.error();
  if (auto done = write_at(*at, record); !done) return done.error();
  return *at / kSlot;
}

result<Nid> ErofsWriter::add_symlink(const FileAttributes& attributes, std::string_view target) {
  return add_small(attributes, S_IFLNK, target);
}

result<Nid> ErofsWriter::add_fifo(const FileAttributes& attributes) {
  return add_small(attributes, S_IFIFO, {});
}

result<Nid> ErofsWriter::add_whiteout() {
  return add_small({}, S_IFCHR, {});
}

result<Nid> ErofsWriter::add_small(const FileAttributes& attributes, std::uint32_t type,
                                   std::string_view content) {
  if (auto begun = begin_file(attributes, content.size()); !begun) return begun.error();
  inode_.type = type;
  const auto bytes = std::as_bytes(std::span(content));
  if (auto done = write(bytes); !done) return done.error();
  return end_file();
}

result<void> ErofsWriter::set_links(Nid nid, std::uint32_t links) {
  std::array<std::byte, 4> bytes = {};
  put(bytes, 0, links);
  return write_at(nid * kSlot + kLinksOffset, bytes);
}

result<ErofsWriter::Place> ErofsWriter::reserve_directory(const FileAttributes& attributes,
                                                          std::uint64_t bytes) {
  Place place;
  place.size = bytes;
  const std::uint64_t head = kInodeBytes + xattr_bytes(attributes);
  const std::uint64_t tail = bytes % kBlock;
  if (!root_placed_) {
    // The superblock has 16 bits for the root's number: it lies behind it, in the first block.
    root_placed_ = true;
    if (kRootOffset + head > kBlock)
      return error(ErrorCode::UnsupportedFeature,
                   "the root directory has " + std::to_string(xattr_bytes(attributes)) +
                       " bytes of extended attributes, more than fit");
    place.nid = kRootOffset / kSlot;
    place.has_tail = fits_inline(kRootOffset + head, tail);
  } else {
    place.has_tail = fits_inline(head, tail);
    auto at = reserve_record(head + (place.has_tail ? tail : 0));
    if (!at) return at.error();
    place.nid = *at / kSlot;
  }
  auto block = reserve_blocks(place.has_tail ? bytes - tail : bytes);
  if (!block) return block.error();
  place.first_block = *block;
  return place;
}

result<void> ErofsWriter::write_directory(const Place& place, const FileAttributes& attributes,
                                          std::uint32_t links,
                                          std::span<const DirectoryEntry> entries) {
  std::vector<std::byte> content(round_up(place.size, kBlock));
  std::size_t block = 0;
  while (!entries.empty()) {
    // As many as fit: their records first, then their names.
    std::size_t count = 0;
    std::size_t used = 0;
    for (; count < entries.size(); ++count) {
      const std::size_t more = kDirentBytes + entries[count].name.size();
      if (used + more > kBlock) break;
      used += more;
    }
    const auto out = std::span(content).subspan(block, kBlock);
    std::size_t name_at = count * kDirentBytes;
    for (std::size_t i = 0; i < count; ++i) {
      const DirectoryEntry& one = entries[i];
      put(out, i * kDirentBytes, one.nid);
      put(out, i * kDirentBytes + 8, static_cast<std::uint16_t>(name_at));
      put(out, i * kDirentBytes + 10, static_cast<std::uint8_t>(one.type));
      std::memcpy(out.data() + name_at, one.name.data(), one.name.size());
      name_at += one.name.size();
    }
    entries = entries.subspan(count);
    block += kBlock;
  }
  content.resize(place.size);
  const std::size_t body = place.has_tail ? place.size - place.size % kBlock : place.size;
  const auto all = std::span<const std::byte>(content);
  if (auto done = write_at(std::uint64_t{place.first_block} * kBlock, all.first(body)); !done)
    return done;
  const Inode inode = {.type = S_IFDIR,
                       .size = place.size,
                       .block = place.first_block,
                       .links = links,
                       .layout = place.has_tail ? Layout::Inline : Layout::Plain};
  return write_at(place.nid * kSlot,
                  make_record(attributes, inode,
                              place.has_tail ? all.subspan(body) : std::span<const std::byte>()));
}

result<std::uint64_t> ErofsWriter::finish(std::span<const std::byte, 16> id) {
  std::array<std::byte, kSuperBytes> super = {};
  const std::uint64_t size = next_block_ * kBlock;
  put(super, 0, kMagic);
  put(super, 12, static_cast<std::uint8_t>(kBlockBits));
  put(super, 14, static_cast<std::uint16_t>(kRootOffset / kSlot));
  put(super, 16, std::uint64_t{inodes_});
  put(super, 36, static_cast<std::uint32_t>(next_block_));
  std::copy(id.begin(), id.end(), super.begin() + 48);
  if (auto done = write_at(kSuperOffset, super); !done) return done.error();
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0)
    return error_from_errno(errno, "make an image of " + std::to_string(size) + " bytes");
  return size;
}

/// A place within one block where it can be, else blocks of its own. Its tail, the last of it, is
/// then in one block in either case, as fits_inline() has seen to it.
result<std::uint64_t> ErofsWriter::reserve_record(std::uint64_t bytes) {
  const std::uint64_t room = (kBlock - record_ % kBlock) % kBlock;
  if (bytes > room) {
    auto block = reserve_blocks(bytes);
    if (!block) return block.error();
    record_ = std::uint64_t{*block} * kBlock;
  }
  const std::uint64_t at = record_;
  record_ = round_up(record_ + bytes, kSlot);
  return at;
}

result<std::uint32_t> ErofsWriter::reserve_blocks(std::uint64_t bytes) {
  if (bytes == 0) return 0;
  const std::uint64_t first = next_block_;
  next_block_ += round_up(bytes, kBlock) / kBlock;
  if (next_block_ > UINT32_MAX)
    return error(ErrorCode::InvalidConfig, "the layer is larger than EROFS can be: 16 TiB");
  return static_cast<std::uint32_t>(first);
}

std::vector<std::byte> ErofsWriter::make_record(const FileAttributes& attributes,
                                                const Inode& inode,
                                                std::span<const std::byte> tail) {
  const std::uint64_t xattrs = xattr_bytes(attributes);
  std::vector<std::byte> record(kInodeBytes + xattrs);
  put(record, 0, static_cast<std::uint16_t>(1U | static_cast<unsigned>(inode.layout) << 1));
  put(record, 2, xattr_count(xattrs));
  put(record, 4, static_cast<std::uint16_t>(inode.type | attributes.mode));
  put(record, 8, inode.size);
  put(record, 16, inode.block);  // of a device its number, which is 0, too
  put(record, 20, ++inodes_);
  put(record, 24, attributes.uid);
  put(record, 28, attributes.gid);
  put(record, 32, attributes.mtime);
  put(record, 40, attributes.mtime_nsec);
  put(record, kLinksOffset, inode.links);
  std::size_t at = kInodeBytes + kXattrHeaderBytes;
  for (const auto& [name, value] : attributes.xattrs) {
    const XattrName known = *xattr_name(name);
    record[at] = static_cast<std::byte>(known.rest.size());
    record[at + 1] = static_cast<std::byte>(known.prefix);
    put(record, at + 2, static_cast<std::uint16_t>(value.size()));
    std::memcpy(record.data() + at + 4, known.rest.data(), known.rest.size());
    std::memcpy(record.data() + at + 4 + known.rest.size(), value.data(), value.size());
    at += round_up(kXattrEntryBytes + known.rest.size() + value.size(), 4);
  }
  record.insert(record.end(), tail.begin(), tail.end());
  return record;
}

result<void> ErofsWriter::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "write the image of a layer");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

std::uint64_t directory_bytes(std::span<const std::string_view> names) {
  std::uint64_t blocks = 0;
  std::uint64_t used = 0;
  for (const auto name : names) {
    const std::uint64_t more = kDirentBytes + name.size();
    if (used + more > kBlock) {
      ++blocks;
      used = 0;
    }
    used += more;
  }
  return blocks * kBlock + used;
}

}  // namespace capsa::image
