// INIT, DESTROY, INTERRUPT, and the operations on the file system as a whole.

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <backends/virtio/fs/operations.hpp>
#include <cerrno>

namespace capsa::virtio::fs {
namespace {

/// 7.39, Linux 6.6; newer than the header this builds with.
constexpr std::uint64_t kDirectIoAllowMmap = std::uint64_t{1} << 36;

/// What is done here, in full. Not among them: FUSE_WRITEBACK_CACHE (the guest would decide sizes
/// and times alone, and the host sees late what was written), FUSE_EXPORT_SUPPORT (".." is not
/// looked up), FUSE_POSIX_LOCKS and FUSE_FLOCK_LOCKS (locks are the guest's own),
/// FUSE_POSIX_ACL, FUSE_DONT_MASK (the guest's kernel applies its umask).
constexpr std::uint64_t kFlags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS |
                                 FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ATOMIC_O_TRUNC |
                                 FUSE_MAX_PAGES | FUSE_ASYNC_DIO | FUSE_HANDLE_KILLPRIV_V2 |
                                 FUSE_INIT_EXT;

std::uint64_t flags_for(CachePolicy cache) noexcept {
  switch (cache) {
    case CachePolicy::Auto:
      return kFlags | FUSE_AUTO_INVAL_DATA;
    case CachePolicy::None:
      return kFlags | FUSE_AUTO_INVAL_DATA | kDirectIoAllowMmap;
    case CachePolicy::Always:
      return kFlags | FUSE_CACHE_SYMLINKS;
  }
  return kFlags;
}

/// fuse_init_in as kernels before 5.17 send it.
struct ShortInit {
  std::uint32_t major;
  std::uint32_t minor;
  std::uint32_t max_readahead;
  std::uint32_t flags;
};

}  // namespace

int Operations::init(Call& call) {
  ShortInit in{};
  if (!call.args.take(in)) return EINVAL;
  fuse_init_out out{};
  out.major = FUSE_KERNEL_VERSION;
  out.minor = FUSE_KERNEL_MINOR_VERSION;
  if (in.major < FUSE_KERNEL_VERSION) return EPROTO;
  if (in.major > FUSE_KERNEL_VERSION) {
    // The guest is to ask again with our version.
    call.body.append(out);
    return 0;
  }
  if (in.minor < kMinMinorVersion) return EPROTO;

  std::uint64_t offered = in.flags;
  std::uint32_t high = 0;
  if ((offered & FUSE_INIT_EXT) != 0 && call.args.take(high)) offered |= std::uint64_t{high} << 32;
  std::uint64_t agreed = offered & flags_for(cache_);
  // The first form promises more than the second: that the bits go whoever writes. Only a squashed
  // share does that.
  if ((agreed & FUSE_HANDLE_KILLPRIV_V2) == 0 && policy_.squashes()) {
    agreed |= offered & FUSE_HANDLE_KILLPRIV;
  }

  // A guest that starts over has forgotten what it knew.
  reset();
  initialized_ = true;
  out.minor = std::min<std::uint32_t>(in.minor, FUSE_KERNEL_MINOR_VERSION);
  out.max_readahead = in.max_readahead;
  out.flags = static_cast<std::uint32_t>(agreed);
  out.flags2 = static_cast<std::uint32_t>(agreed >> 32);
  // How many background requests the guest lets wait; in flight are as many as its queue holds.
  constexpr std::uint16_t kBackground = 256;
  out.max_background = kBackground;
  out.congestion_threshold = kBackground / 4 * 3;
  out.max_write = kMaxWrite;
  out.max_pages = kMaxPages;
  out.time_gran = 1;
  call.body.append(out);
  return 0;
}

int Operations::destroy(Call& /*call*/) {
  reset();
  return 0;
}

int Operations::interrupt(Call& /*call*/) {
  // Requests are carried out one after the other; the one meant is over or has not begun.
  return 0;
}

int Operations::statfs(Call& call) {
  const Outcome<Pin> pin = inodes_->pin(call.header.nodeid);
  if (!pin) return pin.error();
  struct statvfs host {};
  if (::fstatvfs(pin->fd(), &host) != 0) return errno;
  fuse_statfs_out out{};
  out.st.blocks = host.f_blocks;
  out.st.bfree = host.f_bfree;
  out.st.bavail = host.f_bavail;
  out.st.files = host.f_files;
  out.st.ffree = host.f_ffree;
  out.st.bsize = static_cast<std::uint32_t>(host.f_bsize);
  out.st.namelen = static_cast<std::uint32_t>(host.f_namemax);
  out.st.frsize = static_cast<std::uint32_t>(host.f_frsize);
  call.body.append(out);
  return 0;
}

int Operations::syncfs(Call& /*call*/) {
  if (policy_.read_only()) return 0;
  int error = 0;
  for (const auto& [mount, fd] : inodes_->mounts()) {
    if (::syncfs(fd.get()) != 0 && error == 0) error = errno;
  }
  return error;
}

}  // namespace capsa::virtio::fs
