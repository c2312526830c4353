#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <agent/guest/users.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace capsa::agent::guest {

/// A program to start, all looked up and opened before fork(2).
struct ChildPlan {
  std::vector<std::string> argv;
  std::vector<std::string> env;  ///< "name=value"
  std::string working_dir;
  bool may_miss_working_dir = false;  ///< it is a default: fall back to /
  std::optional<User> user;           ///< none: as the agent
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  bool terminal = false;  ///< stdin_fd is a terminal and becomes the controlling one
};

/// What the child writes before it exits, if it cannot become the program.
struct ChildFailure {
  enum class Step : std::int32_t { Session, Terminal, User, WorkingDir, Exec };
  Step step = Step::Exec;
  std::int32_t child_errno = 0;
};

struct Child {
  pid_t pid = -1;
  /// A ChildFailure, or end-of-file once the program runs.
  UniqueFd status;
};

/// Starts the program in a session of its own. Returns 0 or errno.
int start_child(const ChildPlan& plan, Child& child);

/// Raises our own limit of open files as far as it goes; children get the original one back.
void raise_file_limit();

}  // namespace capsa::agent::guest
