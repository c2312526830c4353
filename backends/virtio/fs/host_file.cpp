#include <linux/capability.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <backends/virtio/fs/host_file.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace capsa::virtio::fs {
namespace {

constexpr unsigned kStatMask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;

Outcome<struct statx> stat_at(int fd, const char* name, int flags) noexcept {
  struct statx stat {};
  if (::statx(fd, name, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kStatMask, &stat) != 0) {
    return Errno{errno};
  }
  return stat;
}

/// A file_handle with room for the largest handle there is.
struct HandleBuffer {
  alignas(struct file_handle)
      std::array<unsigned char, sizeof(struct file_handle) + MAX_HANDLE_SZ> space{};
  struct file_handle* get() noexcept {
    return reinterpret_cast<struct file_handle*>(space.data());
  }
  unsigned char* bytes() noexcept { return space.data() + offsetof(struct file_handle, f_handle); }
};

}  // namespace

std::uint64_t device_of(const struct statx& stat) noexcept {
  return gnu_dev_makedev(stat.stx_dev_major, stat.stx_dev_minor);
}

FileKey key_of(const struct statx& stat) noexcept {
  const bool has_mount = (stat.stx_mask & STATX_MNT_ID) != 0;
  return {device_of(stat), stat.stx_ino, has_mount ? stat.stx_mnt_id : 0};
}

std::optional<std::uint64_t> birth_of(const struct statx& stat) noexcept {
  if ((stat.stx_mask & STATX_BTIME) == 0) return std::nullopt;
  return static_cast<std::uint64_t>(stat.stx_btime.tv_sec) * 1'000'000'000U +
         stat.stx_btime.tv_nsec;
}

ProcPath::ProcPath(int fd) noexcept {
  std::snprintf(text_.data(), text_.size(), "/proc/self/fd/%d", fd);
}

Outcome<struct statx> stat_fd(int fd) noexcept {
  return stat_at(fd, "", AT_EMPTY_PATH);
}

Outcome<struct statx> stat_name(int directory, const char* name) noexcept {
  return stat_at(directory, name, 0);
}

Outcome<UniqueFd> open_beneath(int directory, const char* name, int flags, mode_t mode) noexcept {
  struct open_how how {};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC | O_NOFOLLOW;
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  // openat2(2): EAGAIN where a rename elsewhere kept the kernel from being sure; to be tried again.
  constexpr int kTries = 16;
  for (int tries = 0; tries < kTries; ++tries) {
    const long fd = ::syscall(SYS_openat2, directory, name, &how, sizeof(how));
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return Errno{errno};
}

Outcome<UniqueFd> reopen(int path_fd, int flags) noexcept {
  const int fd = ::open(ProcPath(path_fd).c_str(), flags | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return Errno{errno};
  return UniqueFd(fd);
}

Outcome<UniqueFd> reopen_quietly(int path_fd, int flags) noexcept {
  Outcome<UniqueFd> quiet = reopen(path_fd, flags | O_NOATIME);
  // open(2): EPERM where the caller neither owns the file nor has CAP_FOWNER.
  return quiet.error() == EPERM ? reopen(path_fd, flags) : std::move(quiet);
}

std::optional<FileHandle> handle_of(int fd) {
  HandleBuffer buffer;
  buffer.get()->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::name_to_handle_at(fd, "", buffer.get(), &mount, AT_EMPTY_PATH) != 0) return std::nullopt;
  FileHandle handle;
  handle.type = buffer.get()->handle_type;
  handle.bytes.assign(buffer.bytes(), buffer.bytes() + buffer.get()->handle_bytes);
  return handle;
}

Outcome<UniqueFd> open_handle(int mount_fd, const FileHandle& handle) noexcept {
  if (handle.bytes.size() > MAX_HANDLE_SZ) return Errno{ESTALE};
  HandleBuffer buffer;
  buffer.get()->handle_bytes = static_cast<unsigned>(handle.bytes.size());
  buffer.get()->handle_type = handle.type;
  std::copy(handle.bytes.begin(), handle.bytes.end(), buffer.bytes());
  const int fd = ::open_by_handle_at(mount_fd, buffer.get(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return Errno{errno};
  return UniqueFd(fd);
}

bool has_capability(int capability) noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  const auto word = static_cast<std::size_t>(capability) / 32;
  return word < data.size() && (data[word].effective >> (capability % 32) & 1U) != 0;
}

}  // namespace capsa::virtio::fs
