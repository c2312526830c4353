// Open directories: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR, FSYNCDIR.

#include <unistd.h>

#include <algorithm>
#include <backends/virtio/fs/operations.hpp>
#include <cerrno>
#include <limits>

namespace capsa::virtio::fs {
namespace {

/// The most bytes of entries in one reply, whatever the guest has room for.
constexpr std::size_t kMaxEntryBytes = std::size_t{1} << 20;

constexpr std::size_t rounded(std::size_t bytes) noexcept {
  return (bytes + 7) & ~std::size_t{7};
}

bool is_dot(std::string_view name) noexcept {
  return name == "." || name == "..";
}

}  // namespace

int Operations::opendir(Call& call) {
  fuse_open_in in{};
  if (!call.args.take(in)) return EINVAL;
  const Outcome<Pin> pin = inodes_->pin(call.header.nodeid);
  if (!pin) return pin.error();
  if (!pin->is_directory()) return ENOTDIR;
  if (!inodes_->make_room(1)) return ENFILE;
  constexpr int kFlags = O_RDONLY | O_DIRECTORY;
  Outcome<UniqueFd> fd = inodes_->open_with_retry([&] {
    return policy_.read_only() ? reopen_quietly(pin->fd(), kFlags) : reopen(pin->fd(), kFlags);
  });
  if (!fd) return fd.error();
  fuse_open_out out{};
  if (cache_ == CachePolicy::Always) out.open_flags = FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR;
  auto shared = std::make_shared<const BudgetedFd>(std::move(*fd), *budget_);
  inodes_->opened(pin->node(), shared);
  out.fh = handles_.add(OpenDirectory{std::move(shared), pin->node(), {}});
  call.body.append(out);
  return 0;
}

int Operations::readdir(Call& call) {
  return read_entries(call, false);
}

int Operations::readdirplus(Call& call) {
  return read_entries(call, true);
}

int Operations::read_entries(Call& call, bool plus) {
  fuse_read_in in{};
  if (!call.args.take(in)) return EINVAL;
  OpenDirectory* directory = handles_.directory(in.fh);
  if (directory == nullptr) return EBADF;
  if (in.offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return EINVAL;
  const int fd = directory->fd->get();
  const Outcome<struct statx> self = stat_fd(fd);
  if (!self) return self.error();
  EntryReply reply{};
  reply.limit = std::min({std::size_t{in.size}, call.room, kMaxEntryBytes});
  reply.plus = plus;
  reply.device = device_of(*self);
  // Above the root, and above a mount in the share, there is nothing the guest is to know of.
  const bool top = (self->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  if (directory->node == FUSE_ROOT_ID || top) reply.parent_inode = self->stx_ino;

  if (const int error = directory->stream.seek(fd, static_cast<std::int64_t>(in.offset));
      error != 0) {
    return error;
  }
  while (true) {
    const Outcome<std::optional<DirStream::Entry>> entry = directory->stream.peek(fd);
    // What was gathered so far is good; the error comes again with the next request.
    if (!entry) return call.body.size() == 0 ? entry.error() : 0;
    if (!*entry) return 0;
    const Fit fit = append_entry(call, reply, *directory, **entry);
    // No entry at all would mean the end of the directory.
    if (fit == Fit::Full) return call.body.size() == 0 ? EINVAL : 0;
    directory->stream.consume();
  }
}

Operations::Fit Operations::append_entry(Call& call, const EntryReply& reply,
                                         const OpenDirectory& directory,
                                         const DirStream::Entry& entry) {
  const std::size_t fixed =
      reply.plus ? FUSE_NAME_OFFSET_DIRENTPLUS : static_cast<std::size_t>(FUSE_NAME_OFFSET);
  const std::size_t size = rounded(fixed + entry.name.size());
  // Before anything is looked up: an entry that is not sent must not count as known to the guest.
  if (size > reply.limit - call.body.size()) return Fit::Full;
  if (reply.plus) {
    fuse_entry_out out{};
    // Node 0 tells the guest to look the name up itself when it needs it. The kernel never forgets
    // what it was told of "." and "..", so nothing is told.
    if (!is_dot(entry.name)) {
      const Outcome<Pin> parent = inodes_->pin(directory.node);
      const Outcome<InodeTable::Found> found =
          parent ? inodes_->lookup(*parent, entry.name) : Errno{parent.error()};
      if (found.error() == ENOENT) return Fit::Skipped;
      if (found) out = entry_of(*found);
    }
    call.body.append(out);
  }
  fuse_dirent record{};
  const bool hides = reply.parent_inode && entry.name == "..";
  record.ino = numbers_.expose(reply.device, hides ? *reply.parent_inode : entry.inode);
  record.off = static_cast<std::uint64_t>(entry.next);
  record.namelen = static_cast<std::uint32_t>(entry.name.size());
  record.type = entry.type;
  call.body.append_bytes(std::as_bytes(std::span(&record, 1)).first(FUSE_NAME_OFFSET));
  call.body.append_text(entry.name);
  call.body.pad();
  return Fit::Appended;
}

int Operations::releasedir(Call& call) {
  fuse_release_in in{};
  if (!call.args.take(in)) return EINVAL;
  const OpenDirectory* directory = handles_.directory(in.fh);
  if (directory == nullptr) return EBADF;
  inodes_->closed(directory->node, directory->fd);
  handles_.close_directory(in.fh);
  return 0;
}

int Operations::fsyncdir(Call& call) {
  fuse_fsync_in in{};
  if (!call.args.take(in)) return EINVAL;
  const OpenDirectory* directory = handles_.directory(in.fh);
  if (directory == nullptr) return EBADF;
  if (policy_.read_only()) return 0;
  const bool data_only = (in.fsync_flags & FUSE_FSYNC_FDATASYNC) != 0;
  const int fd = directory->fd->get();
  return (data_only ? ::fdatasync(fd) : ::fsync(fd)) == 0 ? 0 : errno;
}

}  // namespace capsa::virtio::fs
