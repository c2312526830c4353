#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace capsa::virtio::fs {

/// Whose files the guest's files are on the host.
enum class Ownership : std::uint8_t {
  /// Whatever the guest's user, files are made and touched as the host user that runs this
  /// process. The guest sees that user and group as 0, and everybody else as 65534 ("nobody").
  /// Set-user-ID and set-group-ID bits are taken off every file that a guest makes or changes: they
  /// would lend the host user's rights to whoever runs the file on the host. Of extended attributes
  /// only the `user.` ones exist.
  Squash,
  /// The guest's ids are the host's, set-user-ID bits and all extended attributes included. Needs
  /// CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER and CAP_FSETID, unless the share is read-only. Only
  /// for guests that may be root on
  /// the shared directory; keep it on a file system that the host mounts `nosuid,nodev`.
  Passthrough,
};

/// For how long the guest may believe what it has been told. There is no notification from host to
/// guest: what the host changes is seen once the time is up.
enum class CachePolicy : std::uint8_t {
  Auto,    ///< names and attributes 1 s; data until the file is opened again or its mtime changes
  None,    ///< nothing; shared mappings need a guest kernel of 6.6 or later
  Always,  ///< a day, names that do not exist included; for directories nobody changes
};

/// One shared directory.
struct ShareConfig {
  std::filesystem::path host_path;  ///< absolute; a directory
  std::string tag;                  ///< what the guest mounts: 1 to 36 bytes
  bool read_only = true;            ///< enforced here, whatever the guest mounts it as
  Ownership ownership = Ownership::Squash;
  CachePolicy cache = CachePolicy::Auto;
  /// Most file descriptors this share keeps open in this process, at least kMinOpenFds; a few more
  /// are open while a request is carried out. 0: a quarter of the soft RLIMIT_NOFILE.
  std::size_t max_open_fds = 0;

  friend bool operator==(const ShareConfig&, const ShareConfig&) = default;
};

/// One request may need four descriptors at once (two directories, a file, its handle); below
/// this a share would spend its time closing and opening.
inline constexpr std::size_t kMinOpenFds = 16;

}  // namespace capsa::virtio::fs
