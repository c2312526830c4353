// CREATE, OPEN, RELEASE: how a file gets from a node to a handle.

#include <unistd.h>

#include <backends/virtio/fs/operations.hpp>
#include <cerrno>

namespace capsa::virtio::fs {

std::uint32_t Operations::opened_flags(int host_flags) const noexcept {
  std::uint32_t flags = 0;
  if (cache_ == CachePolicy::None) flags |= FOPEN_DIRECT_IO;
  if (cache_ == CachePolicy::Always) flags |= FOPEN_KEEP_CACHE;
  // Nothing was written through it that closing could have to report.
  if ((host_flags & O_ACCMODE) == O_RDONLY) flags |= FOPEN_NOFLUSH;
  return flags;
}

int Operations::strip_before_write(int fd, bool guest_asks) {
  if (!policy_.watches_writes() && !guest_asks) return 0;
  const Outcome<struct statx> stat = stat_fd(fd);
  if (!stat) return stat.error();
  const std::optional<mode_t> mode = policy_.mode_before_write(stat->stx_mode, guest_asks);
  if (!mode || S_ISDIR(stat->stx_mode)) return 0;
  return ::chmod(ProcPath(fd).c_str(), *mode) == 0 ? 0 : errno;
}

Outcome<UniqueFd> Operations::open_pinned(const Pin& pin, std::uint32_t guest_flags,
                                          bool guest_asks) {
  const Outcome<int> flags = policy_.open_flags(guest_flags);
  if (!flags) return Errno{flags.error()};
  if (pin.is_directory()) return Errno{EISDIR};
  if (pin.is_symlink()) return Errno{ELOOP};
  // FIFOs, sockets and devices are opened by the guest's own kernel. Here a FIFO would block, and a
  // device would be the host's.
  if (!pin.is_regular()) return Errno{ENXIO};
  if (!inodes_->make_room(1)) return Errno{ENFILE};
  if ((*flags & O_TRUNC) != 0) {
    if (const int error = strip_before_write(pin.fd(), guest_asks); error != 0) return Errno{error};
  }
  return inodes_->open_with_retry([&] {
    return policy_.read_only() ? reopen_quietly(pin.fd(), *flags) : reopen(pin.fd(), *flags);
  });
}

int Operations::open(Call& call) {
  fuse_open_in in{};
  if (!call.args.take(in)) return EINVAL;
  const Outcome<Pin> pin = inodes_->pin(call.header.nodeid);
  if (!pin) return pin.error();
  const bool guest_asks = (in.open_flags & FUSE_OPEN_KILL_SUIDGID) != 0;
  Outcome<UniqueFd> fd = open_pinned(*pin, in.flags, guest_asks);
  if (!fd) return fd.error();
  fuse_open_out out{};
  out.open_flags = opened_flags(static_cast<int>(in.flags));
  out.fh = add_file(std::move(*fd), pin->node());
  call.body.append(out);
  return 0;
}

std::uint64_t Operations::add_file(UniqueFd fd, std::uint64_t node) {
  auto shared = std::make_shared<const BudgetedFd>(std::move(fd), *budget_);
  inodes_->opened(node, shared);
  return handles_.add(OpenFile{std::move(shared), node});
}

int Operations::create_file(Call& call) {
  fuse_create_in in{};
  if (!call.args.take(in)) return EINVAL;
  const auto name = call.args.take_last_string();
  if (!name) return EINVAL;
  if (const int bad = check_name(*name); bad != 0) return bad;
  const Outcome<int> flags = policy_.open_flags(in.flags);
  if (!flags) return flags.error();
  const Outcome<Pin> parent = inodes_->pin(call.header.nodeid);
  if (!parent) return parent.error();
  // Before the file is made: it must not stay behind for want of a descriptor.
  if (!inodes_->make_room(2)) return ENFILE;

  const mode_t mode = policy_.permitted_mode(in.mode & ~in.umask, false);
  Outcome<UniqueFd> fd = inodes_->open_with_retry([&] {
    // Set-user-ID bits come last, when the file has its owner.
    return open_beneath(parent->fd(), name->data(), *flags | O_CREAT | O_EXCL, mode & 0777U);
  });
  fuse_entry_out entry{};
  if (fd) {
    int error = give_owner_and_mode(fd->get(), call, *parent, mode);
    if (error == 0) {
      // No O_NOFOLLOW: the link in /proc is what leads to the file.
      Outcome<UniqueFd> path_fd =
          inodes_->open_with_retry([&] { return reopen(fd->get(), O_PATH); });
      error = path_fd.error();
      if (error == 0) {
        const auto found = inodes_->adopt(std::move(*path_fd), parent->node(), *name);
        error = found.error();
        if (error == 0) entry = entry_of(*found);
      }
    }
    if (error != 0) {
      ::unlinkat(parent->fd(), name->data(), 0);
      return error;
    }
  } else if (fd.error() == EEXIST && (in.flags & O_EXCL) == 0) {
    // Somebody else made it meanwhile. It may be anything, so it is opened as OPEN would.
    const auto found = inodes_->lookup(*parent, *name);
    if (!found) return found.error();
    const Outcome<Pin> pin = inodes_->pin(found->node);
    if (pin) {
      fd = open_pinned(*pin, in.flags, (in.open_flags & FUSE_OPEN_KILL_SUIDGID) != 0);
    } else {
      fd = Errno{pin.error()};
    }
    const Outcome<struct statx> now = fd ? stat_fd(fd->get()) : Errno{fd.error()};
    if (!now) {
      inodes_->forget(found->node, 1);
      return now.error();
    }
    entry = entry_of({found->node, *now});
  } else {
    return fd.error();
  }

  fuse_open_out out{};
  out.open_flags = opened_flags(*flags);
  out.fh = add_file(std::move(*fd), entry.nodeid);
  call.body.append(entry);
  call.body.append(out);
  return 0;
}

int Operations::release(Call& call) {
  fuse_release_in in{};
  if (!call.args.take(in)) return EINVAL;
  const OpenFile* file = handles_.file(in.fh);
  if (file == nullptr) return EBADF;
  inodes_->closed(file->node, file->fd);
  handles_.close_file(in.fh);
  return 0;
}

}  // namespace capsa::virtio::fs
