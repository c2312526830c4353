// Names and attributes: LOOKUP, FORGET, GETATTR, SETATTR, ACCESS, READLINK.

#include <linux/limits.h>
#include <unistd.h>

#include <array>
#include <backends/virtio/fs/operations.hpp>
#include <cerrno>
#include <limits>

namespace capsa::virtio::fs {
namespace {

/// Seconds the guest may keep names and attributes.
std::uint64_t lifetime(CachePolicy cache) noexcept {
  switch (cache) {
    case CachePolicy::Auto:
      return 1;
    case CachePolicy::None:
      return 0;
    case CachePolicy::Always:
      return 86400;
  }
  return 0;
}

}  // namespace

fuse_entry_out Operations::entry_of(const InodeTable::Found& found) {
  fuse_entry_out out{};
  out.nodeid = found.node;
  out.entry_valid = out.attr_valid = lifetime(cache_);
  out.attr = to_attr(found.stat, policy_, numbers_);
  return out;
}

int Operations::reply_entry(Call& call, const Outcome<InodeTable::Found>& found) {
  if (!found) return found.error();
  call.body.append(entry_of(*found));
  return 0;
}

int Operations::reply_attr(Call& call, const struct statx& stat) {
  fuse_attr_out out{};
  out.attr_valid = lifetime(cache_);
  out.attr = to_attr(stat, policy_, numbers_);
  call.body.append(out);
  return 0;
}

int Operations::lookup(Call& call) {
  const auto name = call.args.take_last_string();
  if (!name) return EINVAL;
  if (const int bad = check_name(*name); bad != 0) return bad;
  const Outcome<Pin> parent = inodes_->pin(call.header.nodeid);
  if (!parent) return parent.error();
  const Outcome<InodeTable::Found> found = inodes_->lookup(*parent, *name);
  if (found.error() == ENOENT && cache_ == CachePolicy::Always) {
    // Node 0 says "not there", and for how long that holds.
    fuse_entry_out out{};
    out.entry_valid = lifetime(cache_);
    call.body.append(out);
    return 0;
  }
  return reply_entry(call, found);
}

int Operations::forget(Call& call) {
  fuse_forget_in in{};
  if (call.args.take(in)) inodes_->forget(call.header.nodeid, in.nlookup);
  return 0;
}

int Operations::batch_forget(Call& call) {
  fuse_batch_forget_in in{};
  if (!call.args.take(in)) return 0;
  fuse_forget_one one{};
  for (std::uint32_t i = 0; i < in.count && call.args.take(one); ++i) {
    inodes_->forget(one.nodeid, one.nlookup);
  }
  return 0;
}

Outcome<struct statx> Operations::stat_of(std::uint64_t node, std::optional<std::uint64_t> handle) {
  if (handle) {
    if (const OpenFile* file = handles_.file(*handle)) return stat_fd(file->fd->get());
    if (const OpenDirectory* directory = handles_.directory(*handle)) {
      return stat_fd(directory->fd->get());
    }
    return Errno{EBADF};
  }
  const Outcome<Pin> pin = inodes_->pin(node);
  if (!pin) return Errno{pin.error()};
  return stat_fd(pin->fd());
}

int Operations::getattr(Call& call) {
  fuse_getattr_in in{};
  if (!call.args.take(in)) return EINVAL;
  std::optional<std::uint64_t> handle;
  if ((in.getattr_flags & FUSE_GETATTR_FH) != 0) handle = in.fh;
  const Outcome<struct statx> stat = stat_of(call.header.nodeid, handle);
  return stat ? reply_attr(call, *stat) : stat.error();
}

int Operations::access(Call& call) {
  fuse_access_in in{};
  if (!call.args.take(in)) return EINVAL;
  const Outcome<struct statx> stat = stat_of(call.header.nodeid, std::nullopt);
  return stat ? policy_.check_access(call.header, *stat, in.mask) : stat.error();
}

int Operations::readlink(Call& call) {
  const Outcome<Pin> pin = inodes_->pin(call.header.nodeid);
  if (!pin) return pin.error();
  if (!pin->is_symlink()) return EINVAL;
  // The target is the guest's to interpret; it is never followed here.
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlinkat(pin->fd(), "", target.data(), target.size());
  if (length < 0) return errno;
  if (static_cast<std::size_t>(length) > call.room) return EIO;
  call.body.append_text({target.data(), static_cast<std::size_t>(length)});
  return 0;
}

int Operations::setattr(Call& call) {
  fuse_setattr_in in{};
  if (!call.args.take(in)) return EINVAL;
  const Outcome<Pin> pin = inodes_->pin(call.header.nodeid);
  if (!pin) return pin.error();
  // The owner first, as chown(2) takes set-user-ID bits away that the mode may give; the times
  // last, as all else changes them.
  int error = change_owner(in, *pin);
  if (error == 0 && (in.valid & FATTR_SIZE) != 0) error = change_size(in, *pin);
  if (error == 0 && (in.valid & FATTR_MODE) != 0) {
    if (pin->is_symlink()) return EOPNOTSUPP;
    const mode_t mode = policy_.permitted_mode(in.mode, pin->is_directory());
    if (::chmod(ProcPath(pin->fd()).c_str(), mode) != 0) error = errno;
  }
  if (error == 0) error = change_times(in, *pin);
  if (error != 0) return error;
  const Outcome<struct statx> stat = stat_fd(pin->fd());
  return stat ? reply_attr(call, *stat) : stat.error();
}

int Operations::change_owner(const fuse_setattr_in& in, const Pin& pin) {
  if ((in.valid & (FATTR_UID | FATTR_GID)) == 0) return 0;
  const Outcome<struct statx> now = stat_fd(pin.fd());
  if (!now) return now.error();
  std::optional<std::uint32_t> user;
  std::optional<std::uint32_t> group;
  if ((in.valid & FATTR_UID) != 0) user = in.uid;
  if ((in.valid & FATTR_GID) != 0) group = in.gid;
  const Outcome<AccessPolicy::Owner> owner = policy_.change_owner(*now, user, group);
  if (!owner) return owner.error();
  if (!owner->user && !owner->group) return 0;
  constexpr auto kUnchanged = static_cast<uid_t>(-1);
  const int changed =
      ::fchownat(pin.fd(), "", owner->user.value_or(kUnchanged), owner->group.value_or(kUnchanged),
                 AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
  return changed == 0 ? 0 : errno;
}

int Operations::change_size(const fuse_setattr_in& in, const Pin& pin) {
  if (in.size > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return EFBIG;
  const auto size = static_cast<off_t>(in.size);
  const bool guest_asks = (in.valid & FATTR_KILL_SUIDGID) != 0;
  if ((in.valid & FATTR_FH) != 0) {
    const OpenFile* file = handles_.file(in.fh);
    if (file == nullptr) return EBADF;
    if (const int error = strip_before_write(file->fd->get(), guest_asks); error != 0) return error;
    return ::ftruncate(file->fd->get(), size) == 0 ? 0 : errno;
  }
  if (pin.is_directory()) return EISDIR;
  if (!pin.is_regular()) return EINVAL;
  if (const int error = strip_before_write(pin.fd(), guest_asks); error != 0) return error;
  return ::truncate(ProcPath(pin.fd()).c_str(), size) == 0 ? 0 : errno;
}

int Operations::change_times(const fuse_setattr_in& in, const Pin& pin) {
  if ((in.valid & (FATTR_ATIME | FATTR_MTIME)) == 0) return 0;
  // Above this utimensat(2) has special meanings.
  constexpr std::uint32_t kMaxNanoseconds = 999'999'999;
  const auto time = [&](std::uint32_t given, std::uint32_t now, std::uint64_t seconds,
                        std::uint32_t nanoseconds) {
    if ((in.valid & given) == 0) return timespec{0, UTIME_OMIT};
    if ((in.valid & now) != 0) return timespec{0, UTIME_NOW};
    return timespec{static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
  };
  if (in.atimensec > kMaxNanoseconds || in.mtimensec > kMaxNanoseconds) return EINVAL;
  const std::array<timespec, 2> times{time(FATTR_ATIME, FATTR_ATIME_NOW, in.atime, in.atimensec),
                                      time(FATTR_MTIME, FATTR_MTIME_NOW, in.mtime, in.mtimensec)};
  return ::utimensat(pin.fd(), "", times.data(), AT_EMPTY_PATH) == 0 ? 0 : errno;
}

}  // namespace capsa::virtio::fs
