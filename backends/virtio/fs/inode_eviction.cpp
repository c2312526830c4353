// How an InodeTable keeps within its budget of descriptors, and how it gets back to a file whose
// descriptor it has closed.

#include <linux/fuse.h>

#include <backends/virtio/fs/inode_table.hpp>
#include <cerrno>

namespace capsa::virtio::fs {

bool InodeTable::make_room(std::size_t count) {
  while (!budget_.has_room(count)) {
    if (!evict_one()) return false;
  }
  return true;
}

bool InodeTable::evict_one() {
  for (auto at = lru_.end(); at != lru_.begin();) {
    Inode& inode = **--at;
    // Pinned: a request of this moment works on it.
    if (inode.fd.use_count() > 1) continue;
    if (!inode.handle) inode.handle = handle_of(inode.fd->get());
    const bool leaves = can_come_back(inode);
    // What cannot come back keeps its descriptor, and need not be looked at again.
    at = lru_.erase(at);
    inode.in_lru = false;
    if (!leaves) continue;
    inode.fd.reset();
    return true;
  }
  return false;
}

bool InodeTable::can_come_back(const Inode& inode) const noexcept {
  if (by_handle_ && inode.handle && mounts_.contains(inode.key.mount)) return true;
  return inode.parent != 0 && (inode.handle || inode.birth);
}

Outcome<UniqueFd> InodeTable::reopen_inode(const Inode& inode, int depth) {
  if (!inode.opened.empty()) {
    if (const auto handle = inode.opened.begin()->lock()) {
      if (!make_room(1)) return Errno{ENFILE};
      return open_with_retry([&] { return reopen(handle->get(), O_PATH); });
    }
  }
  if (by_handle_ && inode.handle) {
    if (const auto mount = mounts_.find(inode.key.mount); mount != mounts_.end()) {
      if (!make_room(1)) return Errno{ENFILE};
      return open_with_retry([&] { return open_handle(mount->second.get(), *inode.handle); });
    }
  }
  if (inode.parent == 0 || depth >= kMaxReopenDepth) return Errno{ESTALE};
  const Outcome<Pin> parent = pin(inode.parent, depth + 1);
  if (!parent) return Errno{parent.error()};
  if (!make_room(1)) return Errno{ENFILE};
  Outcome<UniqueFd> fd =
      open_with_retry([&] { return open_beneath(parent->fd(), inode.name.c_str(), O_PATH); });
  if (!fd) return Errno{fd.error() == ENFILE ? ENFILE : ESTALE};
  // The name is only a hint: whoever put another file there meanwhile must not get it mistaken for
  // the one that the guest means.
  if (!is_same_file(inode, fd->get())) return Errno{ESTALE};
  return fd;
}

bool InodeTable::is_same_file(const Inode& inode, int fd) const {
  const Outcome<struct statx> stat = stat_fd(fd);
  if (!stat || key_of(*stat) != inode.key) return false;
  if (inode.handle) return handle_of(fd) == inode.handle;
  return inode.birth && birth_of(*stat) == inode.birth;
}

void InodeTable::note_mount(const Inode& inode) {
  if (mounts_.contains(inode.key.mount)) return;
  if (!S_ISDIR(inode.type) && !S_ISREG(inode.type)) return;
  const std::shared_ptr<const BudgetedFd> pinned = inode.fd;
  if (!make_room(1)) return;
  Outcome<UniqueFd> fd = reopen_quietly(pinned->get(), O_RDONLY | O_NONBLOCK);
  if (fd) mounts_.try_emplace(inode.key.mount, std::move(*fd), budget_);
}

void InodeTable::set_fd(Inode& inode, UniqueFd fd) {
  inode.fd = std::make_shared<const BudgetedFd>(std::move(fd), budget_);
  lru_.push_front(&inode);
  inode.lru = lru_.begin();
  inode.in_lru = true;
}

void InodeTable::touch(Inode& inode) {
  if (inode.in_lru) lru_.splice(lru_.begin(), lru_, inode.lru);
}

void InodeTable::leave_lru(Inode& inode) noexcept {
  if (inode.in_lru) lru_.erase(inode.lru);
  inode.in_lru = false;
}

void InodeTable::leave_index(Inode& inode) noexcept {
  if (inode.in_index) index_.erase(inode.key);
  inode.in_index = false;
}

}  // namespace capsa::virtio::fs
