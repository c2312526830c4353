#pragma once

#include <sys/types.h>

#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace capsa {

/// Where runtime directories of this user are: `$XDG_RUNTIME_DIR/capsa` if that variable names a
/// directory that is ours and that nobody else can write to, else `/tmp/capsa-UID`.
std::filesystem::path runtime_base();

/// The private directory of one runtime: sockets, pid files and logs of its VMs. It is named
/// `PID-STARTTIME-SEQ` after this process and holds a lock for as long as it lives, so that a
/// later process can tell what was left by a dead one (clean_leftovers()). Removed with everything
/// in it on destruction, unless that happens in a forked child. Thread-safe.
class RuntimeDir {
 public:
  /// PermissionDenied where the base is not ours alone; IoError, ResourceExhausted from the host.
  static result<RuntimeDir> create() { return create_in(runtime_base()); }
  static result<RuntimeDir> create_in(const std::filesystem::path& base);

  RuntimeDir(RuntimeDir&& other) noexcept = default;
  RuntimeDir& operator=(RuntimeDir&& other) noexcept;
  RuntimeDir(const RuntimeDir&) = delete;
  RuntimeDir& operator=(const RuntimeDir&) = delete;
  ~RuntimeDir();

  const std::filesystem::path& path() const noexcept { return path_; }

  /// The directory (0700) of one VM, created unless it exists. `id` is made of letters, digits,
  /// ".", "_" and "-", does not start with "." and has at most 64 of them; else InvalidConfig.
  result<std::filesystem::path> vm_dir(std::string_view id) const;
  /// Removes a VM's directory and what is in it; nothing where there is none.
  void remove_vm_dir(std::string_view id) const;

 private:
  RuntimeDir(std::filesystem::path path, UniqueFd base, UniqueFd directory, UniqueFd lock);
  void remove() noexcept;

  std::filesystem::path path_;
  UniqueFd base_;
  UniqueFd directory_;
  UniqueFd lock_;
  pid_t owner_ = 0;
};

/// The file in a VM's directory that names its table of nftables: "capsa_PID_NUMBER" and a newline.
inline constexpr std::string_view kTableRecord = "host_nat.table";

/// What a process that is gone left behind.
struct Leftover {
  std::filesystem::path directory;
  pid_t owner = 0;                  ///< the process that made it
  std::vector<pid_t> killed;        ///< processes of its that still ran, and were ended
  std::vector<std::string> tables;  ///< of nftables, that are gone now
  bool removed = false;             ///< false where something could not be deleted
};

/// Finds runtime directories whose process is gone, ends the processes named in their `*.pid`
/// files if those are still the same ones, removes the tables of nftables that are recorded there,
/// and removes the directories. Safe to run in several processes at once and while others start.
/// Blocks for at most about two seconds per process found. Directories of live processes, of this
/// one and of other process-id namespaces (whose lock is held) are left alone.
result<std::vector<Leftover>> clean_leftovers_in(const std::filesystem::path& base);
inline result<std::vector<Leftover>> clean_leftovers() {
  return clean_leftovers_in(runtime_base());
}

}  // namespace capsa
