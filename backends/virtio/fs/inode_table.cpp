#include <linux/fuse.h>

#include <algorithm>
#include <backends/virtio/fs/inode_table.hpp>
#include <cerrno>

namespace capsa::virtio::fs {

std::size_t InodeTable::KeyHash::operator()(const FileKey& key) const noexcept {
  std::uint64_t hash = key.inode * 0x9E3779B97F4A7C15ULL;
  hash ^= (key.device + (hash >> 29)) * 0xBF58476D1CE4E5B9ULL;
  hash ^= (key.mount + (hash >> 32)) * 0x94D049BB133111EBULL;
  return hash ^ (hash >> 31);
}

result<std::unique_ptr<InodeTable>> InodeTable::open(const std::filesystem::path& path,
                                                     FdBudget& budget) {
  const std::string doing = "open the shared directory " + path.string();
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return error_from_errno(errno, doing, "share an existing directory");
  const Outcome<struct statx> stat = stat_fd(fd.get());
  if (!stat) return error_from_errno(stat.error(), doing);
  Outcome<UniqueFd> readable = reopen(fd.get(), O_RDONLY | O_DIRECTORY);
  if (!readable) return error_from_errno(readable.error(), doing, "it must be readable");
  // The kernel is asked once whether it knows openat2(2), on which everything here rests.
  if (const auto probe = open_beneath(fd.get(), ".", O_PATH); !probe) {
    return error(ErrorCode::UnsupportedFeature, "shares need openat2(2), which is not available",
                 "use Linux 5.6 or later, and a seccomp filter that knows the call");
  }

  std::unique_ptr<InodeTable> table(new InodeTable(budget));
  const std::optional<FileHandle> handle = handle_of(fd.get());
  table->by_handle_ = handle && open_handle(readable->get(), *handle);
  auto root = std::make_unique<Inode>();
  root->node = FUSE_ROOT_ID;
  root->key = key_of(*stat);
  root->type = stat->stx_mode & S_IFMT;
  root->in_index = true;
  root->fd = std::make_shared<const BudgetedFd>(std::move(fd), budget);
  table->mounts_.try_emplace(root->key.mount, std::move(*readable), budget);
  table->index_.emplace(root->key, root.get());
  table->inodes_.emplace(FUSE_ROOT_ID, std::move(root));
  return table;
}

Outcome<Pin> InodeTable::pin(std::uint64_t node, int depth) {
  const auto found = inodes_.find(node);
  if (found == inodes_.end()) return Errno{ESTALE};
  Inode& inode = *found->second;
  if (!inode.fd) {
    Outcome<UniqueFd> fd = reopen_inode(inode, depth);
    if (!fd) return Errno{fd.error()};
    set_fd(inode, std::move(*fd));
  }
  touch(inode);
  return Pin(inode.fd, node, inode.type);
}

Outcome<InodeTable::Found> InodeTable::lookup(const Pin& parent, std::string_view name) {
  // What is open already is found with one system call: its inode number cannot have been given to
  // another file.
  const Outcome<struct statx> named = stat_name(parent.fd(), name.data());
  if (!named) return Errno{named.error()};
  if (Inode* known = find_key(key_of(*named)); known != nullptr && known->fd) {
    count_lookup(*known, parent.node(), name);
    return Found{known->node, *named};
  }
  if (!make_room(1)) return Errno{ENFILE};
  Outcome<UniqueFd> fd =
      open_with_retry([&] { return open_beneath(parent.fd(), name.data(), O_PATH); });
  if (!fd) return Errno{fd.error()};
  return adopt(std::move(*fd), parent.node(), name);
}

Outcome<InodeTable::Found> InodeTable::adopt(UniqueFd path_fd, std::uint64_t parent,
                                             std::string_view name) {
  const Outcome<struct statx> stat = stat_fd(path_fd.get());
  if (!stat) return Errno{stat.error()};
  const FileKey key = key_of(*stat);
  Inode* known = find_key(key);
  if (known != nullptr && !known->fd && !is_same_file(*known, path_fd.get())) {
    // The file is gone and its number was given to another one; the guest's old id stays stale.
    leave_index(*known);
    known = nullptr;
  }
  if (known == nullptr) {
    if (inodes_.size() >= kMaxInodes) return Errno{ENFILE};
    auto fresh = std::make_unique<Inode>();
    known = fresh.get();
    fresh->node = next_node_++;
    fresh->key = key;
    fresh->type = stat->stx_mode & S_IFMT;
    fresh->birth = birth_of(*stat);
    fresh->in_index = true;
    index_.emplace(key, known);
    inodes_.emplace(known->node, std::move(fresh));
  }
  if (!known->fd) set_fd(*known, std::move(path_fd));
  count_lookup(*known, parent, name);
  note_mount(*known);
  return Found{known->node, *stat};
}

void InodeTable::forget(std::uint64_t node, std::uint64_t lookups) {
  if (node == FUSE_ROOT_ID) return;
  const auto found = inodes_.find(node);
  if (found == inodes_.end()) return;
  Inode& inode = *found->second;
  inode.lookups -= std::min(inode.lookups, lookups);
  if (inode.lookups != 0) return;
  leave_lru(inode);
  leave_index(inode);
  inodes_.erase(found);
}

void InodeTable::renamed(const Pin& parent, std::string_view name) {
  const Outcome<struct statx> stat = stat_name(parent.fd(), name.data());
  if (!stat) return;
  if (Inode* known = find_key(key_of(*stat)); known != nullptr && known->node != FUSE_ROOT_ID) {
    known->parent = parent.node();
    known->name = name;
  }
}

void InodeTable::opened(std::uint64_t node, const std::shared_ptr<const BudgetedFd>& handle) {
  if (const auto found = inodes_.find(node); found != inodes_.end())
    found->second->opened.insert(handle);
}

void InodeTable::closed(std::uint64_t node, const std::shared_ptr<const BudgetedFd>& handle) {
  if (const auto found = inodes_.find(node); found != inodes_.end())
    found->second->opened.erase(handle);
}

void InodeTable::clear() {
  lru_.clear();
  auto root = inodes_.extract(FUSE_ROOT_ID);
  inodes_.clear();
  root.mapped()->opened.clear();
  index_.clear();
  index_.emplace(root.mapped()->key, root.mapped().get());
  inodes_.insert(std::move(root));
}

std::uint64_t InodeTable::lookups(std::uint64_t node) const noexcept {
  const auto found = inodes_.find(node);
  return found == inodes_.end() ? 0 : found->second->lookups;
}

InodeTable::Inode* InodeTable::find_key(const FileKey& key) noexcept {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : found->second;
}

void InodeTable::count_lookup(Inode& inode, std::uint64_t parent, std::string_view name) {
  touch(inode);
  if (inode.node == FUSE_ROOT_ID) return;
  ++inode.lookups;
  inode.parent = parent;
  inode.name = name;
}

}  // namespace capsa::virtio::fs
