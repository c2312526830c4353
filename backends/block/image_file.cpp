#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <backends/block/image_file.hpp>
#include <bit>
#include <cerrno>
#include <string>
#include <string_view>

namespace capsa::block {
namespace {

error invalid(const std::filesystem::path& path, std::string_view what, std::string hint = {}) {
  return {ErrorCode::InvalidConfig, "disk " + path.string() + ": " + std::string(what),
          std::move(hint)};
}

result<void> lock(int fd, const std::filesystem::path& path, bool read_only) {
  struct flock all {};
  all.l_type = static_cast<short>(read_only ? F_RDLCK : F_WRLCK);
  all.l_whence = SEEK_SET;  // from 0, length 0: to the end, wherever that will be
  if (::fcntl(fd, F_OFD_SETLK, &all) == 0) return {};
  if (errno != EAGAIN && errno != EACCES) {
    return error_from_errno(errno, "lock disk " + path.string());
  }
  return error(ErrorCode::ResourceExhausted,
               "disk " + path.string() + ": it is in use " +
                   (read_only ? "by a writer" : "by another machine or program"),
               "end that one first; several may share it only if all open it read-only");
}

result<void> measure_device(int fd, const std::filesystem::path& path, StoreInfo& info) {
  std::uint64_t size = 0;
  int logical = 0;
  unsigned physical = 0;
  if (::ioctl(fd, BLKGETSIZE64, &size) != 0 || ::ioctl(fd, BLKSSZGET, &logical) != 0 ||
      ::ioctl(fd, BLKPBSZGET, &physical) != 0) {
    return error_from_errno(errno, "ask for the size of disk " + path.string());
  }
  info.size = size;
  info.block_size = std::bit_floor(std::max<std::uint32_t>(static_cast<unsigned>(logical), 512));
  info.physical_block_size = std::bit_floor(std::max(physical, info.block_size));
  info.discard_alignment = info.physical_block_size;
  info.discard = true;  // as far as the device can; else it fails once and drivers remember
  return {};
}

/// Whether holes can be punched: tried where there is nothing to lose, behind the end.
bool can_punch(int fd, std::uint64_t end) {
  return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(end),
                     4096) == 0;
}

}  // namespace

result<ImageFile> open_image(const std::filesystem::path& path, bool read_only) {
  ImageFile image;
  // O_NONBLOCK: a FIFO without a writer would wait here. It means nothing to files and disks.
  const int flags = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  image.fd.reset(::open(path.c_str(), flags));
  if (!image.fd) return error_from_errno(errno, "open disk " + path.string());
  struct stat status {};
  if (::fstat(image.fd.get(), &status) != 0) {
    return error_from_errno(errno, "look at disk " + path.string());
  }
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    return invalid(path, "it is neither a file nor a block device");
  }
  if (auto locked = lock(image.fd.get(), path, read_only); !locked) return locked.error();
  StoreInfo& info = image.info;
  info.read_only = read_only;
  if (S_ISBLK(status.st_mode)) {
    if (auto known = measure_device(image.fd.get(), path, info); !known) return known.error();
  } else {
    // Behind the lock: who had it before may have changed it.
    if (::fstat(image.fd.get(), &status) != 0) {
      return error_from_errno(errno, "look at disk " + path.string());
    }
    info.size = static_cast<std::uint64_t>(status.st_size);
    info.discard = !read_only && can_punch(image.fd.get(), info.size);
  }
  info.size -= info.size % info.block_size;
  if (info.size == 0) {
    return invalid(path, "it is smaller than one sector of " + std::to_string(info.block_size),
                   "make it as large as the disk is to be, e.g. with truncate -s 10G");
  }
  if (read_only) info.discard = false;
  info.write_zeroes = !read_only;
  return image;
}

}  // namespace capsa::block
