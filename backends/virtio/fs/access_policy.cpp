#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include <array>
#include <backends/virtio/fs/access_policy.hpp>
#include <backends/virtio/fs/host_file.hpp>
#include <cerrno>

namespace capsa::virtio::fs {
namespace {

/// What user namespaces show for ids without a name (/proc/sys/fs/overflowuid).
constexpr std::uint32_t kNobody = 65534;

constexpr mode_t kPermissionBits = 07777;
constexpr mode_t kSetIdBits = S_ISUID | S_ISGID;

/// What has a meaning for a file on the host. Not O_APPEND: it is applied write by write, as shared
/// mappings of such a file still write in place. Not O_DIRECT: it is about the guest's cache, and
/// the guest's buffers need not be aligned for the host. O_CREAT and O_EXCL belong to CREATE. The
/// rest could turn the open into something else (O_PATH, O_TMPFILE, O_ASYNC).
constexpr std::uint32_t kHostFlags = O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC;

}  // namespace

result<AccessPolicy> AccessPolicy::create(Ownership ownership, bool read_only) {
  // To show ids as they are needs no right; to make files of others does.
  if (ownership == Ownership::Passthrough && !read_only) {
    for (const int needed : {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID}) {
      if (has_capability(needed)) continue;
      return error(ErrorCode::PermissionDenied,
                   "share ownership passthrough: this process may not act for other users",
                   "run as root or with CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER and CAP_FSETID, or "
                   "use squash");
    }
  }
  AccessPolicy policy;
  policy.ownership_ = ownership;
  policy.read_only_ = read_only;
  policy.user_ = ::geteuid();
  policy.group_ = ::getegid();
  policy.keeps_bits_ = has_capability(CAP_FSETID);
  return policy;
}

std::uint32_t AccessPolicy::shown_user(uid_t user) const noexcept {
  if (!squashes()) return user;
  return user == user_ ? 0 : kNobody;
}

std::uint32_t AccessPolicy::shown_group(gid_t group) const noexcept {
  if (!squashes()) return group;
  return group == group_ ? 0 : kNobody;
}

AccessPolicy::Owner AccessPolicy::maker(const fuse_in_header& request,
                                        mode_t directory_mode) const noexcept {
  Owner owner;
  if (squashes()) return owner;
  owner.user = request.uid;
  if ((directory_mode & S_ISGID) == 0) owner.group = request.gid;
  return owner;
}

Outcome<AccessPolicy::Owner> AccessPolicy::change_owner(
    const struct statx& now, std::optional<std::uint32_t> user,
    std::optional<std::uint32_t> group) const noexcept {
  if (!squashes()) return Owner{user, group};
  Owner owner;
  if (user && *user != shown_user(now.stx_uid)) {
    if (*user != 0) return Errno{EPERM};
    owner.user = user_;
  }
  if (group && *group != shown_group(now.stx_gid)) {
    if (*group != 0) return Errno{EPERM};
    owner.group = group_;
  }
  return owner;
}

mode_t AccessPolicy::permitted_mode(mode_t mode, bool directory) const noexcept {
  const mode_t bits = mode & kPermissionBits;
  // On a directory set-group-ID is inheritance of the group, which lends nobody anything.
  return squashes() && !directory ? bits & ~kSetIdBits : bits;
}

std::optional<mode_t> AccessPolicy::mode_before_write(mode_t mode, bool guest_asks) const noexcept {
  mode_t drop = 0;
  if (watches_writes()) {
    drop = kSetIdBits;
  } else if (guest_asks) {
    // FUSE_HANDLE_KILLPRIV_V2: set-group-ID only counts with group execution.
    drop = (mode & S_IXGRP) != 0 ? kSetIdBits : S_ISUID;
  }
  if ((mode & drop) == 0) return std::nullopt;
  return mode & kPermissionBits & ~drop;
}

Outcome<int> AccessPolicy::open_flags(std::uint32_t guest_flags) const noexcept {
  const std::uint32_t flags = guest_flags & kHostFlags;
  // 3 is Linux's own "check for both, allow neither"; nothing that a share needs.
  if ((flags & O_ACCMODE) == O_ACCMODE) return Errno{EINVAL};
  if (read_only_ && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0)) {
    return Errno{EROFS};
  }
  return static_cast<int>(flags);
}

int AccessPolicy::check_xattr(std::string_view name) const noexcept {
  // security.* and trusted.* are the host's word on a file, system.* holds the host's ids.
  return !squashes() || name.starts_with("user.") ? 0 : EOPNOTSUPP;
}

int AccessPolicy::check_access(const fuse_in_header& request, const struct statx& stat,
                               std::uint32_t mask) const noexcept {
  if ((mask & ~std::uint32_t{R_OK | W_OK | X_OK}) != 0) return EINVAL;
  if (read_only_ && (mask & W_OK) != 0) return EROFS;
  if (request.uid == 0) {
    const bool can_run = S_ISDIR(stat.stx_mode) || (stat.stx_mode & 0111) != 0;
    return (mask & X_OK) != 0 && !can_run ? EACCES : 0;
  }
  unsigned granted = stat.stx_mode & 07U;
  if (request.uid == shown_user(stat.stx_uid)) {
    granted = stat.stx_mode >> 6U & 07U;
  } else if (request.gid == shown_group(stat.stx_gid)) {
    granted = stat.stx_mode >> 3U & 07U;
  }
  return (mask & ~granted) != 0 ? EACCES : 0;
}

}  // namespace capsa::virtio::fs
