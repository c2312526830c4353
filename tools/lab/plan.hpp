#pragma once

#include <optional>
#include <string>
#include <vector>

/// What the lab's host side asks of capsa-lab-enter, which runs in the guest. Standard library
/// only: that program is static and small.
namespace capsa::lab {

/// A directory of the guest, shown at another path of the command's file system.
struct Bind {
  std::string from;
  std::string to;
  friend bool operator==(const Bind&, const Bind&) = default;
};

struct Plan {
  std::string root;                  ///< where the host's root is mounted, read-only
  std::vector<std::string> modules;  ///< files to load, in this order
  std::vector<Bind> binds;
  /// Directories below an emptied one (see kEmptied) that stay as they are on the host.
  std::vector<std::string> kept;
  std::string working_dir;
  std::vector<std::string> command;
  friend bool operator==(const Plan&, const Plan&) = default;
};

/// Directories of the host that are empty file systems in the lab: sockets and temporary files of
/// the host's own programs must not be taken for the command's.
inline const std::vector<std::string> kEmptied = {"/tmp", "/run"};

/// The plan as arguments of capsa-lab-enter, without the program's own name.
std::vector<std::string> to_arguments(const Plan& plan);

/// Back again; none where the arguments are not of that form.
std::optional<Plan> from_arguments(const std::vector<std::string>& arguments);

/// What has to be kept for `path` to be seen: the entry of an emptied directory that it lies in,
/// "/run/tests" of "/run/tests/bin/one". Empty for paths elsewhere, and for what lies directly in
/// an emptied directory, since a directory is kept, not a file. `path` is absolute and normal.
std::string entry_to_keep(const std::string& path);

}  // namespace capsa::lab
