#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <backends/virtio/fs/operations.hpp>
#include <cerrno>
#include <limits>

namespace capsa::virtio::fs {
namespace {

/// What this process may open.
std::size_t soft_limit() noexcept {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

std::size_t fd_limit(std::size_t configured) noexcept {
  if (configured != 0) return configured;
  // A quarter: a process has several VMs, and each several shares, disks and sockets.
  constexpr std::size_t kMost = 65536;
  return std::clamp<std::size_t>(soft_limit() / 4, kMinOpenFds, kMost);
}

/// What all shares may keep together: half, so that the host program has the other.
FdReserve& process_reserve() noexcept {
  // Never destroyed: shares of a static runtime outlive other static objects.
  static FdReserve& reserve = *new FdReserve(0);
  // Asked anew for each share: a program may raise its limit at any time.
  reserve.set_limit(soft_limit() / 2);
  return reserve;
}

}  // namespace

result<std::unique_ptr<Operations>> Operations::create(const ShareConfig& config) {
  if (config.max_open_fds != 0 && config.max_open_fds < kMinOpenFds) {
    return error(ErrorCode::InvalidConfig,
                 "share max_open_fds: " + std::to_string(config.max_open_fds) +
                     " is too few, at least " + std::to_string(kMinOpenFds) + " are needed",
                 "leave it at 0 for a share of what the process may open");
  }
  if (!config.host_path.is_absolute()) {
    return error(ErrorCode::InvalidConfig,
                 "share host_path: \"" + config.host_path.string() + "\" is not absolute",
                 "give the directory's full path");
  }
  result<AccessPolicy> policy = AccessPolicy::create(config.ownership, config.read_only);
  if (!policy) return policy.error();
  auto budget = std::make_unique<FdBudget>(fd_limit(config.max_open_fds), process_reserve());
  auto inodes = InodeTable::open(config.host_path, *budget);
  if (!inodes) return inodes.error();
  const Outcome<Pin> root = (*inodes)->pin(FUSE_ROOT_ID);
  const Outcome<struct statx> stat = stat_fd(root->fd());
  if (!stat) return error_from_errno(stat.error(), "stat the shared directory");
  return std::unique_ptr<Operations>(
      new Operations(config, *policy, std::move(budget), std::move(*inodes), device_of(*stat)));
}

Operations::Operations(const ShareConfig& config, AccessPolicy policy,
                       std::unique_ptr<FdBudget> budget, std::unique_ptr<InodeTable> inodes,
                       std::uint64_t root_device)
    : cache_(config.cache),
      policy_(policy),
      budget_(std::move(budget)),
      inodes_(std::move(inodes)),
      numbers_(root_device) {}

void Operations::reset() {
  handles_.clear();
  inodes_->clear();
  initialized_ = false;
}

const Operations::Operation* Operations::find(std::uint32_t opcode) noexcept {
  // The third column is the allowlist of a read-only share. OPEN and ACCESS look at their flags
  // themselves; FSYNC, FSYNCDIR and SYNCFS have nothing to write there and say so.
  using O = Operations;
  static constexpr auto kTable = [] {
    constexpr bool kReads = true;
    constexpr bool kChanges = false;
    std::array<Operation, FUSE_SYNCFS + 1> table{};
    table[FUSE_LOOKUP] = {&O::lookup, sizeof(fuse_entry_out), kReads};
    table[FUSE_FORGET] = {&O::forget, 0, kReads, false};
    table[FUSE_GETATTR] = {&O::getattr, sizeof(fuse_attr_out), kReads};
    table[FUSE_SETATTR] = {&O::setattr, sizeof(fuse_attr_out), kChanges};
    table[FUSE_READLINK] = {&O::readlink, 0, kReads};
    table[FUSE_SYMLINK] = {&O::symlink, sizeof(fuse_entry_out), kChanges};
    table[FUSE_MKNOD] = {&O::mknod, sizeof(fuse_entry_out), kChanges};
    table[FUSE_MKDIR] = {&O::mkdir, sizeof(fuse_entry_out), kChanges};
    table[FUSE_UNLINK] = {&O::unlink, 0, kChanges};
    table[FUSE_RMDIR] = {&O::rmdir, 0, kChanges};
    table[FUSE_RENAME] = {&O::rename, 0, kChanges};
    table[FUSE_LINK] = {&O::link, sizeof(fuse_entry_out), kChanges};
    table[FUSE_OPEN] = {&O::open, sizeof(fuse_open_out), kReads};
    table[FUSE_READ] = {&O::read, 0, kReads};
    table[FUSE_WRITE] = {&O::write, sizeof(fuse_write_out), kChanges};
    table[FUSE_STATFS] = {&O::statfs, sizeof(fuse_statfs_out), kReads};
    table[FUSE_RELEASE] = {&O::release, 0, kReads};
    table[FUSE_FSYNC] = {&O::fsync, 0, kReads};
    table[FUSE_SETXATTR] = {&O::setxattr, 0, kChanges};
    table[FUSE_GETXATTR] = {&O::getxattr, 0, kReads};
    table[FUSE_LISTXATTR] = {&O::listxattr, 0, kReads};
    table[FUSE_REMOVEXATTR] = {&O::removexattr, 0, kChanges};
    table[FUSE_FLUSH] = {&O::flush, 0, kReads};
    table[FUSE_INIT] = {&O::init, sizeof(fuse_init_out), kReads};
    table[FUSE_OPENDIR] = {&O::opendir, sizeof(fuse_open_out), kReads};
    table[FUSE_READDIR] = {&O::readdir, 0, kReads};
    table[FUSE_RELEASEDIR] = {&O::releasedir, 0, kReads};
    table[FUSE_FSYNCDIR] = {&O::fsyncdir, 0, kReads};
    table[FUSE_ACCESS] = {&O::access, 0, kReads};
    table[FUSE_CREATE] = {&O::create_file, sizeof(fuse_entry_out) + sizeof(fuse_open_out),
                          kChanges};
    table[FUSE_INTERRUPT] = {&O::interrupt, 0, kReads, false};
    table[FUSE_DESTROY] = {&O::destroy, 0, kReads};
    table[FUSE_BATCH_FORGET] = {&O::batch_forget, 0, kReads, false};
    table[FUSE_FALLOCATE] = {&O::fallocate, 0, kChanges};
    table[FUSE_READDIRPLUS] = {&O::readdirplus, 0, kReads};
    table[FUSE_RENAME2] = {&O::rename2, 0, kChanges};
    table[FUSE_LSEEK] = {&O::lseek, sizeof(fuse_lseek_out), kReads};
    table[FUSE_COPY_FILE_RANGE] = {&O::copy_file_range, sizeof(fuse_write_out), kChanges};
    table[FUSE_SYNCFS] = {&O::syncfs, 0, kReads};
    return table;
  }();
  if (opcode >= kTable.size() || kTable[opcode].run == nullptr) return nullptr;
  return &kTable[opcode];
}

}  // namespace capsa::virtio::fs
