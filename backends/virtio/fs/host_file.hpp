#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <backends/virtio/fs/outcome.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cstdint>
#include <optional>
#include <vector>

// The host's side: the few system calls by which anything of a share is reached. Each takes a
// descriptor that pins a file, never a path of more than one component, so that renames and
// symbolic links planted meanwhile change nothing about what is reached.

namespace capsa::virtio::fs {

/// Which file: unique among all that are in use at one time. The mount tells apart two ways to the
/// same file.
struct FileKey {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t mount = 0;

  friend bool operator==(const FileKey&, const FileKey&) = default;
};

FileKey key_of(const struct statx& stat) noexcept;
std::uint64_t device_of(const struct statx& stat) noexcept;
/// Nanoseconds of birth, or nothing where the file system does not keep it.
std::optional<std::uint64_t> birth_of(const struct statx& stat) noexcept;

/// "/proc/self/fd/N": the only way to open, chmod or link what an O_PATH descriptor pins. The link
/// leads to the pinned file itself, also where that is a symbolic link.
class ProcPath {
 public:
  explicit ProcPath(int fd) noexcept;
  const char* c_str() const noexcept { return text_.data(); }

 private:
  std::array<char, 32> text_{};
};

/// statx(2) of what a descriptor pins, O_PATH or not.
Outcome<struct statx> stat_fd(int fd) noexcept;
/// statx(2) of one checked name in a directory; does not follow symbolic links.
Outcome<struct statx> stat_name(int directory, const char* name) noexcept;

/// openat2(2) of one checked name in a directory, beneath it, through no link of any kind.
/// O_CLOEXEC and O_NOFOLLOW are added.
Outcome<UniqueFd> open_beneath(int directory, const char* name, int flags,
                               mode_t mode = 0) noexcept;
/// Opens what an O_PATH descriptor pins. Only for regular files and directories: opening a FIFO may
/// block and opening a device may do anything.
Outcome<UniqueFd> reopen(int path_fd, int flags) noexcept;
/// As reopen(), without touching the access time where the kernel lets this user do that.
Outcome<UniqueFd> reopen_quietly(int path_fd, int flags) noexcept;

/// What a file system calls a file (name_to_handle_at(2)). Carries the inode's generation, so an
/// inode number that is used again has another handle.
struct FileHandle {
  int type = 0;
  std::vector<unsigned char> bytes;

  friend bool operator==(const FileHandle&, const FileHandle&) = default;
};

/// Nothing where the file system has no handles.
std::optional<FileHandle> handle_of(int fd);
/// Gives an O_PATH descriptor. EPERM without CAP_DAC_READ_SEARCH, ESTALE where the file is gone.
/// `mount_fd` is any real (not O_PATH) descriptor of that mount.
Outcome<UniqueFd> open_handle(int mount_fd, const FileHandle& handle) noexcept;

/// Whether this thread has a capability (<linux/capability.h>) in its effective set.
bool has_capability(int capability) noexcept;

}  // namespace capsa::virtio::fs
