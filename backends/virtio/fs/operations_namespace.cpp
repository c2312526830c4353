// What changes directories: MKDIR, MKNOD, SYMLINK, LINK, UNLINK, RMDIR, RENAME, RENAME2.

#include <unistd.h>

#include <backends/virtio/fs/operations.hpp>
#include <cerrno>

namespace capsa::virtio::fs {
namespace {

/// Links are made by rename flags and node ids of directories, so that of a guest's bits only these
/// have a meaning. RENAME_WHITEOUT would make a device node.
constexpr std::uint32_t kRenameFlags = RENAME_NOREPLACE | RENAME_EXCHANGE;

}  // namespace

int Operations::give_owner_and_mode(int fd, const Call& call, const Pin& parent,
                                    std::optional<mode_t> mode) {
  if (!policy_.squashes()) {
    const Outcome<struct statx> directory = stat_fd(parent.fd());
    if (!directory) return directory.error();
    const AccessPolicy::Owner owner = policy_.maker(call.header, directory->stx_mode);
    constexpr auto kUnchanged = static_cast<uid_t>(-1);
    if (::fchownat(fd, "", owner.user.value_or(kUnchanged), owner.group.value_or(kUnchanged),
                   AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) {
      return errno;
    }
  }
  if (!mode) return 0;
  // The umask of this process is not the guest's, and making a file does not set every bit.
  const Outcome<struct statx> made = stat_fd(fd);
  if (!made) return made.error();
  mode_t wanted = *mode;
  if (S_ISDIR(made->stx_mode)) wanted |= made->stx_mode & S_ISGID;
  if ((made->stx_mode & 07777U) == wanted) return 0;
  return ::chmod(ProcPath(fd).c_str(), wanted) == 0 ? 0 : errno;
}

Outcome<InodeTable::Found> Operations::settle(const Call& call, const Pin& parent,
                                              std::string_view name, std::optional<mode_t> mode) {
  int error = 0;
  bool directory = false;
  Outcome<UniqueFd> fd =
      inodes_->open_with_retry([&] { return open_beneath(parent.fd(), name.data(), O_PATH); });
  if (!fd) return Errno{fd.error()};
  if (const Outcome<struct statx> made = stat_fd(fd->get())) directory = S_ISDIR(made->stx_mode);
  error = give_owner_and_mode(fd->get(), call, parent, mode);
  if (error == 0) {
    Outcome<InodeTable::Found> found = inodes_->adopt(std::move(*fd), parent.node(), name);
    if (found) return found;
    error = found.error();
  }
  ::unlinkat(parent.fd(), name.data(), directory ? AT_REMOVEDIR : 0);
  return Errno{error};
}

int Operations::mkdir(Call& call) {
  fuse_mkdir_in in{};
  if (!call.args.take(in)) return EINVAL;
  const auto name = call.args.take_last_string();
  if (!name) return EINVAL;
  if (const int bad = check_name(*name); bad != 0) return bad;
  const Outcome<Pin> parent = inodes_->pin(call.header.nodeid);
  if (!parent) return parent.error();
  if (!inodes_->make_room(1)) return ENFILE;
  const mode_t mode = policy_.permitted_mode(in.mode & ~in.umask, true);
  if (::mkdirat(parent->fd(), name->data(), mode) != 0) return errno;
  return reply_entry(call, settle(call, *parent, *name, mode));
}

int Operations::mknod(Call& call) {
  fuse_mknod_in in{};
  if (!call.args.take(in)) return EINVAL;
  const auto name = call.args.take_last_string();
  if (!name) return EINVAL;
  if (const int bad = check_name(*name); bad != 0) return bad;
  const mode_t type = in.mode & S_IFMT;
  // A device node made by a guest would be one of the host's devices.
  if (type == S_IFCHR || type == S_IFBLK) return EPERM;
  if (type != 0 && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK) return EINVAL;
  const Outcome<Pin> parent = inodes_->pin(call.header.nodeid);
  if (!parent) return parent.error();
  if (!inodes_->make_room(1)) return ENFILE;
  const mode_t mode = policy_.permitted_mode(in.mode & ~in.umask, false);
  // Set-user-ID bits come last, when the file has its owner.
  if (::mknodat(parent->fd(), name->data(), type | (mode & 0777U), 0) != 0) return errno;
  return reply_entry(call, settle(call, *parent, *name, mode));
}

int Operations::symlink(Call& call) {
  const auto name = call.args.take_string();
  const auto target = call.args.take_last_string();
  if (!name || !target) return EINVAL;
  if (const int bad = check_name(*name); bad != 0) return bad;
  if (target->empty()) return ENOENT;
  if (target->size() > kMaxTarget) return ENAMETOOLONG;
  const Outcome<Pin> parent = inodes_->pin(call.header.nodeid);
  if (!parent) return parent.error();
  if (!inodes_->make_room(1)) return ENFILE;
  if (::symlinkat(target->data(), parent->fd(), name->data()) != 0) return errno;
  return reply_entry(call, settle(call, *parent, *name, std::nullopt));
}

int Operations::link(Call& call) {
  fuse_link_in in{};
  if (!call.args.take(in)) return EINVAL;
  const auto name = call.args.take_last_string();
  if (!name) return EINVAL;
  if (const int bad = check_name(*name); bad != 0) return bad;
  const Outcome<Pin> parent = inodes_->pin(call.header.nodeid);
  if (!parent) return parent.error();
  const Outcome<Pin> file = inodes_->pin(in.oldnodeid);
  if (!file) return file.error();
  // Leads to the pinned file itself, also where that is a symbolic link.
  if (::linkat(AT_FDCWD, ProcPath(file->fd()).c_str(), parent->fd(), name->data(),
               AT_SYMLINK_FOLLOW) != 0) {
    return errno;
  }
  return reply_entry(call, inodes_->lookup(*parent, *name));
}

int Operations::remove(Call& call, int flags) {
  const auto name = call.args.take_last_string();
  if (!name) return EINVAL;
  if (const int bad = check_name(*name); bad != 0) return bad;
  const Outcome<Pin> parent = inodes_->pin(call.header.nodeid);
  if (!parent) return parent.error();
  return ::unlinkat(parent->fd(), name->data(), flags) == 0 ? 0 : errno;
}

int Operations::unlink(Call& call) {
  return remove(call, 0);
}

int Operations::rmdir(Call& call) {
  return remove(call, AT_REMOVEDIR);
}

int Operations::rename(Call& call) {
  fuse_rename_in in{};
  if (!call.args.take(in)) return EINVAL;
  return rename_with(call, in.newdir, 0);
}

int Operations::rename2(Call& call) {
  fuse_rename2_in in{};
  if (!call.args.take(in)) return EINVAL;
  if ((in.flags & ~kRenameFlags) != 0) return EINVAL;
  return rename_with(call, in.newdir, in.flags);
}

int Operations::rename_with(Call& call, std::uint64_t new_parent, std::uint32_t flags) {
  const auto from_name = call.args.take_string();
  const auto to_name = call.args.take_last_string();
  if (!from_name || !to_name) return EINVAL;
  for (const std::string_view name : {*from_name, *to_name}) {
    if (const int bad = check_name(name); bad != 0) return bad;
  }
  const Outcome<Pin> from = inodes_->pin(call.header.nodeid);
  if (!from) return from.error();
  const Outcome<Pin> to = inodes_->pin(new_parent);
  if (!to) return to.error();
  if (::renameat2(from->fd(), from_name->data(), to->fd(), to_name->data(), flags) != 0) {
    return errno;
  }
  inodes_->renamed(*to, *to_name);
  if ((flags & RENAME_EXCHANGE) != 0) inodes_->renamed(*from, *from_name);
  return 0;
}

}  // namespace capsa::virtio::fs
