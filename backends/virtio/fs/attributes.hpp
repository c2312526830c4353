#pragma once

#include <linux/fuse.h>
#include <sys/stat.h>

#include <backends/virtio/fs/access_policy.hpp>
#include <cstdint>
#include <unordered_map>

namespace capsa::virtio::fs {

/// Gives each file of all file systems of a share its own st_ino, as the guest sees one file system
/// only. Files of the root's file system keep theirs, if below 2^48.
class InodeNumbers {
 public:
  explicit InodeNumbers(std::uint64_t root_device) { devices_.emplace(root_device, 0); }
  std::uint64_t expose(std::uint64_t device, std::uint64_t inode);

 private:
  static constexpr unsigned kInodeBits = 48;
  static constexpr std::uint64_t kMaxDevices = 1U << 14;

  std::unordered_map<std::uint64_t, std::uint64_t> devices_;
};

/// statx(2) as FUSE carries it, ids as the policy shows them.
fuse_attr to_attr(const struct statx& stat, const AccessPolicy& policy, InodeNumbers& numbers);

}  // namespace capsa::virtio::fs
