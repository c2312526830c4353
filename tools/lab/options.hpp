#pragma once

#include <capsa/result.hpp>
#include <string>
#include <tools/cli/run_session.hpp>
#include <tools/lab/plan.hpp>
#include <vector>

namespace capsa::lab {

/// The lab's options, as written.
struct Words {
  unsigned cpus = 1;
  std::string memory = "3G";
  std::string timeout = "1800";
  std::vector<std::string> writable;
  std::vector<std::string> kept;
  std::vector<std::string> env;
  bool fine_timers = false;
  bool pty = false;
  int verbosity = 0;
};

/// One run of the lab.
struct Order {
  cli::RunOptions session;
  Plan plan;
  std::string kernel_words;  ///< for the lab's own kernel, beside the guest's
};

/// What `command` is run with, from this directory: all but guest, modules and our program there.
/// Errors: InvalidConfig for what is not understood, the host's for directories that are not there.
result<Order> understand(const Words& words, std::vector<std::string> command);

/// Adds what is missing; KVM's modules are fetched where the cache has none. GuestNotPrepared or
/// NotFound where something has to be made first. Blocks.
result<void> add_guest(Order& order);

}  // namespace capsa::lab
