#pragma once

#include <sys/uio.h>

#include <backends/virtio/fs/access_policy.hpp>
#include <backends/virtio/fs/attributes.hpp>
#include <backends/virtio/fs/handle_table.hpp>
#include <backends/virtio/fs/inode_table.hpp>
#include <backends/virtio/fs/protocol.hpp>
#include <memory>
#include <span>

namespace capsa::virtio::fs {

/// One request being carried out.
struct Call {
  const fuse_in_header& header;
  ArgReader args;
  std::span<const iovec> data_in;   ///< payload of WRITE, in guest memory
  std::span<const iovec> data_out;  ///< where the payload of READ goes, in guest memory
  std::size_t payload;              ///< bytes of data_in
  std::size_t room;                 ///< bytes a reply can have behind its header
  ReplyBody& body;
  std::size_t read = 0;  ///< bytes that READ has put into data_out
};

/// The operations of a share, one member each; operations_<kind>.cpp have them. Each gives 0 or the
/// errno of its reply. Single-threaded; blocks as file systems do.
class Operations {
 public:
  static result<std::unique_ptr<Operations>> create(const ShareConfig& config);

  using Run = int (Operations::*)(Call&);
  struct Operation {
    Run run = nullptr;
    std::uint16_t reply_size = 0;  ///< of the fixed part; refused with EIO where there is no room
    bool on_read_only = false;     ///< may be carried out on a read-only share
    bool answered = true;
  };
  /// Null for operations that do not exist here.
  static const Operation* find(std::uint32_t opcode) noexcept;

  bool initialized() const noexcept { return initialized_; }
  bool read_only() const noexcept { return policy_.read_only(); }
  const InodeTable& inodes() const noexcept { return *inodes_; }
  const HandleTable& handles() const noexcept { return handles_; }
  const FdBudget& fds() const noexcept { return *budget_; }
  /// Forgets and closes everything, as DESTROY does.
  void reset();

 private:
  Operations(const ShareConfig& config, AccessPolicy policy, std::unique_ptr<FdBudget> budget,
             std::unique_ptr<InodeTable> inodes, std::uint64_t root_device);

  // -- session
  int init(Call& call);
  int destroy(Call& call);
  int interrupt(Call& call);
  // -- names
  int lookup(Call& call);
  int forget(Call& call);
  int batch_forget(Call& call);
  // -- attributes
  int getattr(Call& call);
  int setattr(Call& call);
  int access(Call& call);
  int readlink(Call& call);
  // -- namespace
  int symlink(Call& call);
  int mknod(Call& call);
  int mkdir(Call& call);
  int unlink(Call& call);
  int rmdir(Call& call);
  int rename(Call& call);
  int rename2(Call& call);
  int link(Call& call);
  int create_file(Call& call);
  // -- files
  int open(Call& call);
  int read(Call& call);
  int write(Call& call);
  int flush(Call& call);
  int release(Call& call);
  int fsync(Call& call);
  int fallocate(Call& call);
  int lseek(Call& call);
  int copy_file_range(Call& call);
  // -- directories
  int opendir(Call& call);
  int readdir(Call& call);
  int readdirplus(Call& call);
  int releasedir(Call& call);
  int fsyncdir(Call& call);
  // -- extended attributes
  int setxattr(Call& call);
  int getxattr(Call& call);
  int listxattr(Call& call);
  int removexattr(Call& call);
  // -- file system
  int statfs(Call& call);
  int syncfs(Call& call);

  // -- helpers
  fuse_entry_out entry_of(const InodeTable::Found& found);
  int reply_entry(Call& call, const Outcome<InodeTable::Found>& found);
  int reply_attr(Call& call, const struct statx& stat);
  int remove(Call& call, int flags);
  int rename_with(Call& call, std::uint64_t new_parent, std::uint32_t flags);
  /// Opens what was just made, gives it its owner and mode, and counts a lookup; takes it away
  /// again where that fails.
  Outcome<InodeTable::Found> settle(const Call& call, const Pin& parent, std::string_view name,
                                    std::optional<mode_t> mode);
  int give_owner_and_mode(int fd, const Call& call, const Pin& parent, std::optional<mode_t> mode);
  Outcome<UniqueFd> open_pinned(const Pin& pin, std::uint32_t guest_flags, bool guest_asks);
  Outcome<struct statx> stat_of(std::uint64_t node, std::optional<std::uint64_t> handle);
  int change_owner(const fuse_setattr_in& in, const Pin& pin);
  int change_size(const fuse_setattr_in& in, const Pin& pin);
  int change_times(const fuse_setattr_in& in, const Pin& pin);
  int strip_before_write(int fd, bool guest_asks);
  std::uint32_t opened_flags(int host_flags) const noexcept;
  std::uint64_t add_file(UniqueFd fd, std::uint64_t node);

  /// What is the same for all entries of a READDIR or READDIRPLUS.
  struct EntryReply {
    std::size_t limit = 0;  // bytes
    bool plus = false;
    std::uint64_t device = 0;                   // of the directory
    std::optional<std::uint64_t> parent_inode;  // shown for "..", where the real one is hidden
  };
  enum class Fit : std::uint8_t { Appended, Skipped, Full };
  int read_entries(Call& call, bool plus);
  Fit append_entry(Call& call, const EntryReply& reply, const OpenDirectory& directory,
                   const DirStream::Entry& entry);

  CachePolicy cache_;
  AccessPolicy policy_;
  // Before what counts against it.
  std::unique_ptr<FdBudget> budget_;
  std::unique_ptr<InodeTable> inodes_;
  HandleTable handles_;
  InodeNumbers numbers_;
  bool initialized_ = false;
};

}  // namespace capsa::virtio::fs
