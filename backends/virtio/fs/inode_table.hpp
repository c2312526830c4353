#pragma once

#include <backends/virtio/fs/fd_budget.hpp>
#include <backends/virtio/fs/host_file.hpp>
#include <backends/virtio/fs/outcome.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace capsa::virtio::fs {

/// A file that stays open for as long as somebody holds this, evicted or forgotten meanwhile or
/// not.
class Pin {
 public:
  Pin(std::shared_ptr<const BudgetedFd> fd, std::uint64_t node, mode_t type) noexcept
      : fd_(std::move(fd)), node_(node), type_(type) {}

  int fd() const noexcept { return fd_->get(); }  ///< O_PATH
  std::uint64_t node() const noexcept { return node_; }
  bool is_regular() const noexcept { return S_ISREG(type_); }
  bool is_directory() const noexcept { return S_ISDIR(type_); }
  bool is_symlink() const noexcept { return S_ISLNK(type_); }

 private:
  std::shared_ptr<const BudgetedFd> fd_;
  std::uint64_t node_;
  mode_t type_;
};

/// The files the guest knows, by the node ids it got for them. An entry lives from the first lookup
/// until the guest forgets it; its descriptor may be closed meanwhile to keep within the budget,
/// least recently used first, and is opened again by file handle where this process may do that,
/// else by the name it was last known under. Either way it is checked to be the same file. What
/// cannot be found again (no handles, no birth times) keeps its descriptor, and the guest gets
/// ENFILE once the budget is used up. Nothing is ever dropped for want of descriptors.
/// Single-threaded.
class InodeTable {
 public:
  /// Names a guest can make us remember, at some 300 bytes each. ENFILE beyond.
  static constexpr std::size_t kMaxInodes = std::size_t{1} << 20;

  struct Found {
    std::uint64_t node;
    struct statx stat;
  };

  /// Opens the directory that will be node 1. Symbolic links in `path` are the host's and followed.
  static result<std::unique_ptr<InodeTable>> open(const std::filesystem::path& path,
                                                  FdBudget& budget);

  /// The file of a node id. ESTALE for ids that were never given out, are forgotten, or whose file
  /// is gone; ENFILE where the budget is used up.
  Outcome<Pin> pin(std::uint64_t node) { return pin(node, 0); }
  /// Finds a checked name in a directory and counts one lookup of it.
  Outcome<Found> lookup(const Pin& parent, std::string_view name);
  /// Counts one lookup of a file that was just made under `name` and is open as `path_fd`.
  Outcome<Found> adopt(UniqueFd path_fd, std::uint64_t parent, std::string_view name);
  /// Takes lookups back; more than there were are as many as there were. Ignores the root and ids
  /// that are not known.
  void forget(std::uint64_t node, std::uint64_t lookups);
  /// Notes that a file has a new name, so that it can be found by it.
  void renamed(const Pin& parent, std::string_view name);
  /// Notes a handle to a node: for as long as it is open it leads back to the file, even where that
  /// has no name any more.
  void opened(std::uint64_t node, const std::shared_ptr<const BudgetedFd>& handle);
  /// Forgets that handle, which is about to be closed.
  void closed(std::uint64_t node, const std::shared_ptr<const BudgetedFd>& handle);
  /// Forgets everything but the root.
  void clear();

  /// Closes descriptors until `count` more fit the budget. False where they cannot.
  bool make_room(std::size_t count);
  /// Runs something that opens a descriptor, once more with some closed where the host has no more.
  template <class Open>
  auto open_with_retry(Open open) -> decltype(open()) {
    auto opened = open();
    if (opened.error() != EMFILE && opened.error() != ENFILE) return opened;
    for (int i = 0; i < kEvictOnHostLimit && evict_one(); ++i) {
      // nop
    }
    opened = open();
    if (opened.error() == EMFILE) return Errno{ENFILE};
    return opened;
  }

  /// Real descriptors, one of each mount seen so far.
  const std::map<std::uint64_t, BudgetedFd>& mounts() const noexcept { return mounts_; }
  std::size_t size() const noexcept { return inodes_.size(); }
  /// Lookups the guest has not taken back; 0 for unknown ids.
  std::uint64_t lookups(std::uint64_t node) const noexcept;

 private:
  static constexpr int kEvictOnHostLimit = 16;
  /// How many directories above a file may have to be opened again to open it. Names are hints and
  /// the host may have moved things, so there could be a circle.
  static constexpr int kMaxReopenDepth = 256;

  struct Inode {
    std::uint64_t node = 0;
    FileKey key;
    mode_t type = 0;
    std::uint64_t lookups = 0;
    std::shared_ptr<const BudgetedFd> fd;  // null: evicted
    /// The guest's handles to it.
    std::set<std::weak_ptr<const BudgetedFd>, std::owner_less<>> opened;
    std::optional<std::uint64_t> birth;
    std::optional<FileHandle> handle;  // filled in when first evicted
    std::uint64_t parent = 0;          // with name: where it was last seen; a hint
    std::string name;
    bool in_index = false;  // false: its key belongs to another file by now
    bool in_lru = false;
    std::list<Inode*>::iterator lru;
  };
  struct KeyHash {
    std::size_t operator()(const FileKey& key) const noexcept;
  };

  explicit InodeTable(FdBudget& budget) : budget_(budget) {}

  Outcome<Pin> pin(std::uint64_t node, int depth);
  Outcome<UniqueFd> reopen_inode(const Inode& inode, int depth);
  bool is_same_file(const Inode& inode, int fd) const;
  Inode* find_key(const FileKey& key) noexcept;
  void count_lookup(Inode& inode, std::uint64_t parent, std::string_view name);
  void note_mount(const Inode& inode);
  void set_fd(Inode& inode, UniqueFd fd);
  void touch(Inode& inode);
  void leave_lru(Inode& inode) noexcept;
  void leave_index(Inode& inode) noexcept;
  bool evict_one();
  bool can_come_back(const Inode& inode) const noexcept;

  FdBudget& budget_;
  bool by_handle_ = false;  // open_by_handle_at(2) is allowed here
  std::map<std::uint64_t, BudgetedFd> mounts_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Inode>> inodes_;
  std::unordered_map<FileKey, Inode*, KeyHash> index_;
  std::list<Inode*> lru_;  // with a descriptor and a way back; most recently used first
  // Never used twice, so that a node id alone is unique for the life of the device and the
  // generation can stay 0.
  std::uint64_t next_node_ = 2;
};

}  // namespace capsa::virtio::fs
