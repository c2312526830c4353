// What is done with an open file: READ, WRITE, FLUSH, FSYNC, FALLOCATE, LSEEK, COPY_FILE_RANGE.

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <backends/virtio/fs/guest_io.hpp>
#include <backends/virtio/fs/operations.hpp>
#include <cerrno>
#include <limits>

namespace capsa::virtio::fs {
namespace {

/// What a Linux guest sends. Collapsing and inserting ranges would move data under its cache.
constexpr std::uint32_t kFallocateModes =
    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;

/// The most that one COPY_FILE_RANGE copies, so that other requests get their turn. A shorter copy
/// is allowed; the guest asks again.
constexpr std::uint64_t kMaxCopy = 64U << 20U;

/// Whether the bytes [offset, offset + length) have numbers that the host's off_t can hold. The
/// offset -1 would even mean something else to pwritev2(2).
bool is_in_range(std::uint64_t offset, std::uint64_t length) noexcept {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  return offset <= kMost && length <= kMost - offset;
}

}  // namespace

int Operations::read(Call& call) {
  fuse_read_in in{};
  if (!call.args.take(in)) return EINVAL;
  const OpenFile* file = handles_.file(in.fh);
  if (file == nullptr) return EBADF;
  if (in.size > kMaxTransfer || !is_in_range(in.offset, in.size)) return EINVAL;
  std::vector<iovec> pieces = cut_pieces(call.data_out, 0, in.size);
  const Outcome<std::size_t> moved = read_pieces(file->fd->get(), pieces, in.offset);
  if (!moved) return moved.error();
  call.read = *moved;
  return 0;
}

int Operations::write(Call& call) {
  fuse_write_in in{};
  if (!call.args.take(in)) return EINVAL;
  if (in.size > kMaxTransfer || in.size > call.payload) return EINVAL;
  const OpenFile* file = handles_.file(in.fh);
  if (file == nullptr) return EBADF;
  if (!is_in_range(in.offset, in.size)) return EFBIG;
  const bool guest_asks = (in.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
  if (const int error = strip_before_write(file->fd->get(), guest_asks); error != 0) return error;
  // The flags are those of the guest's file at this moment, fcntl(F_SETFL) included. A page of a
  // shared mapping goes back to its place, whatever they say.
  const bool append = (in.flags & O_APPEND) != 0 && (in.write_flags & FUSE_WRITE_CACHE) == 0;
  std::vector<iovec> pieces = cut_pieces(call.data_in, 0, in.size);
  const Outcome<std::size_t> moved = write_pieces(file->fd->get(), pieces, in.offset, append);
  if (!moved) return moved.error();
  fuse_write_out out{};
  out.size = static_cast<std::uint32_t>(*moved);
  call.body.append(out);
  return 0;
}

int Operations::flush(Call& call) {
  fuse_flush_in in{};
  if (!call.args.take(in)) return EINVAL;
  const OpenFile* file = handles_.file(in.fh);
  if (file == nullptr) return EBADF;
  // Closing one of two descriptors is how network file systems come to tell of failed writes.
  Outcome<UniqueFd> copy = inodes_->open_with_retry([&]() -> Outcome<UniqueFd> {
    const int fd = ::fcntl(file->fd->get(), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return Errno{errno};
    return UniqueFd(fd);
  });
  if (!copy) return copy.error();
  return ::close(copy->release()) == 0 ? 0 : errno;
}

int Operations::fsync(Call& call) {
  fuse_fsync_in in{};
  if (!call.args.take(in)) return EINVAL;
  const OpenFile* file = handles_.file(in.fh);
  if (file == nullptr) return EBADF;
  if (policy_.read_only()) return 0;
  const bool data_only = (in.fsync_flags & FUSE_FSYNC_FDATASYNC) != 0;
  const int synced = data_only ? ::fdatasync(file->fd->get()) : ::fsync(file->fd->get());
  return synced == 0 ? 0 : errno;
}

int Operations::fallocate(Call& call) {
  fuse_fallocate_in in{};
  if (!call.args.take(in)) return EINVAL;
  const OpenFile* file = handles_.file(in.fh);
  if (file == nullptr) return EBADF;
  if ((in.mode & ~kFallocateModes) != 0) return EOPNOTSUPP;
  if (!is_in_range(in.offset, in.length)) return EFBIG;
  if (const int error = strip_before_write(file->fd->get(), false); error != 0) return error;
  const int done = ::fallocate(file->fd->get(), static_cast<int>(in.mode),
                               static_cast<off_t>(in.offset), static_cast<off_t>(in.length));
  return done == 0 ? 0 : errno;
}

int Operations::lseek(Call& call) {
  fuse_lseek_in in{};
  if (!call.args.take(in)) return EINVAL;
  const OpenFile* file = handles_.file(in.fh);
  if (file == nullptr) return EBADF;
  // The guest keeps positions itself and only asks where data and holes are.
  if (in.whence != SEEK_DATA && in.whence != SEEK_HOLE) return EINVAL;
  if (!is_in_range(in.offset, 0)) return ENXIO;
  const off_t at =
      ::lseek(file->fd->get(), static_cast<off_t>(in.offset), static_cast<int>(in.whence));
  if (at < 0) return errno;
  call.body.append(fuse_lseek_out{static_cast<std::uint64_t>(at)});
  return 0;
}

int Operations::copy_file_range(Call& call) {
  fuse_copy_file_range_in in{};
  if (!call.args.take(in)) return EINVAL;
  const OpenFile* from = handles_.file(in.fh_in);
  const OpenFile* to = handles_.file(in.fh_out);
  if (from == nullptr || to == nullptr) return EBADF;
  if (in.flags != 0) return EINVAL;
  const std::uint64_t length = std::min(in.len, kMaxCopy);
  if (!is_in_range(in.off_in, length) || !is_in_range(in.off_out, length)) return EINVAL;
  if (const int error = strip_before_write(to->fd->get(), false); error != 0) return error;
  auto from_offset = static_cast<off_t>(in.off_in);
  auto to_offset = static_cast<off_t>(in.off_out);
  const ssize_t copied =
      ::copy_file_range(from->fd->get(), &from_offset, to->fd->get(), &to_offset, length, 0);
  if (copied < 0) return errno;
  fuse_write_out out{};
  out.size = static_cast<std::uint32_t>(copied);
  call.body.append(out);
  return 0;
}

}  // namespace capsa::virtio::fs
