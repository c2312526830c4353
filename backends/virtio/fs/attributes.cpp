#include <backends/virtio/fs/attributes.hpp>
#include <backends/virtio/fs/host_file.hpp>

namespace capsa::virtio::fs {

std::uint64_t InodeNumbers::expose(std::uint64_t device, std::uint64_t inode) {
  auto known = devices_.find(device);
  if (known == devices_.end() && devices_.size() < kMaxDevices) {
    known = devices_.emplace(device, devices_.size()).first;
  }
  if (known != devices_.end() && inode >> kInodeBits == 0) {
    return known->second << kInodeBits | inode;
  }
  // Numbers that use their high bits, as some network and stacked file systems give, are mixed.
  // The top bit keeps them apart from all of the above.
  std::uint64_t mixed = inode * 0x9E3779B97F4A7C15ULL;
  mixed ^= (mixed >> 32) ^ (device * 0xBF58476D1CE4E5B9ULL);
  return mixed | std::uint64_t{1} << 63;
}

fuse_attr to_attr(const struct statx& stat, const AccessPolicy& policy, InodeNumbers& numbers) {
  fuse_attr attr{};
  attr.ino = numbers.expose(device_of(stat), stat.stx_ino);
  attr.size = stat.stx_size;
  attr.blocks = stat.stx_blocks;
  attr.atime = static_cast<std::uint64_t>(stat.stx_atime.tv_sec);
  attr.mtime = static_cast<std::uint64_t>(stat.stx_mtime.tv_sec);
  attr.ctime = static_cast<std::uint64_t>(stat.stx_ctime.tv_sec);
  attr.atimensec = stat.stx_atime.tv_nsec;
  attr.mtimensec = stat.stx_mtime.tv_nsec;
  attr.ctimensec = stat.stx_ctime.tv_nsec;
  attr.mode = stat.stx_mode;
  attr.nlink = stat.stx_nlink;
  attr.uid = policy.shown_user(stat.stx_uid);
  attr.gid = policy.shown_group(stat.stx_gid);
  // The kernel's 32-bit form: 12 bits of major between 8 and 12 bits of minor.
  attr.rdev = (stat.stx_rdev_minor & 0xFFU) | (stat.stx_rdev_major & 0xFFFU) << 8U |
              (stat.stx_rdev_minor & ~0xFFU) << 12U;
  attr.blksize = stat.stx_blksize;
  return attr;
}

}  // namespace capsa::virtio::fs
