#pragma once

#include <capsa/result.hpp>
#include <filesystem>
#include <optional>
#include <string>

namespace capsa {

/// A kernel and initrd that this library's own guests boot: made once by `capsa guest prepare`,
/// kept in a cache, never changed there.
struct GuestAssets {
  std::filesystem::path kernel;  ///< uncompressed ELF vmlinux with a PVH entry
  std::filesystem::path initrd;  ///< the agent as /init, busybox, and the modules the kernel needs
  /// Kernel arguments that this guest and this host need; consoles, devices and `root=` are the
  /// machine's to add.
  std::string command_line;
  std::string kernel_version;  ///< as `uname -r` tells it in the guest
  bool acpi = false;   ///< wants ACPI tables: its devices, power button or panic are found there
  bool tuned = false;  ///< the small kernel, built from source; false: the distribution's own
};

/// Where prepared guests are kept: `cache_dir` if given, else `$XDG_CACHE_HOME/capsa` if that is an
/// absolute path (as the XDG base directory specification wants it), else `$HOME/.cache/capsa`.
/// NotFound where none of them is known. Thread-safe while nothing changes the environment.
result<std::filesystem::path> guest_cache(std::optional<std::filesystem::path> cache_dir = {});

/// Looks up the guest to boot: the small kernel before the distribution's, the newest before older
/// ones, and only such whose initrd carries the same agent as this library does.
/// GuestNotPrepared (hint: "run: capsa guest prepare") where there is none. Reads the cache at each
/// call; the first call in a process takes up to 10 ms more. Thread-safe.
result<GuestAssets> find_guest(std::optional<std::filesystem::path> cache_dir = {});

}  // namespace capsa
