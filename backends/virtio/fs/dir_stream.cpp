#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <backends/virtio/fs/dir_stream.hpp>
#include <cerrno>
#include <cstring>

namespace capsa::virtio::fs {
namespace {

// struct linux_dirent64 of getdents64(2): u64 d_ino, s64 d_off, u16 d_reclen, u8 d_type, d_name.
constexpr std::size_t kOffOffset = 8;
constexpr std::size_t kOffLength = 16;
constexpr std::size_t kOffType = 18;
constexpr std::size_t kOffName = 19;

template <class T>
T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

}  // namespace

int DirStream::seek(int fd, std::int64_t offset) {
  // Offset 0 is rewinddir(3): what was read ahead is old by now.
  if (offset == offset_ && offset != 0) return 0;
  if (::lseek(fd, offset, SEEK_SET) < 0) return errno;
  at_ = end_ = 0;
  offset_ = offset;
  finished_ = false;
  return 0;
}

Outcome<std::optional<DirStream::Entry>> DirStream::peek(int fd) {
  if (at_ == end_ && !finished_) {
    buffer_.resize(kBufferBytes);
    const long got = ::syscall(SYS_getdents64, fd, buffer_.data(), buffer_.size());
    if (got < 0) return Errno{errno};
    at_ = 0;
    end_ = static_cast<std::size_t>(got);
    finished_ = got == 0;
  }
  if (at_ == end_) return std::optional<Entry>();
  const std::byte* record = buffer_.data() + at_;
  Entry entry{};
  entry.inode = load<std::uint64_t>(record);
  entry.next = load<std::int64_t>(record + kOffOffset);
  entry.type = load<std::uint8_t>(record + kOffType);
  entry.name = reinterpret_cast<const char*>(record + kOffName);
  return std::optional<Entry>(entry);
}

void DirStream::consume() noexcept {
  const std::byte* record = buffer_.data() + at_;
  offset_ = load<std::int64_t>(record + kOffOffset);
  at_ = std::min(end_, at_ + load<std::uint16_t>(record + kOffLength));
}

}  // namespace capsa::virtio::fs
