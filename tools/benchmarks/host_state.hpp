#pragma once

#include <cstdint>
#include <string>

namespace capsa::bench {

/// What this process has of its host.
struct HostState {
  std::size_t fds = 0;
  std::size_t threads = 0;
  std::size_t children = 0;
  std::size_t files = 0;           ///< in the runtime directories of this user, at any depth
  std::uint64_t resident = 0;      ///< bytes, without the memory of guests
  std::uint64_t own = 0;           ///< of those, the bytes that nobody shares
  std::uint64_t guest_memory = 0;  ///< bytes
};

/// From /proc (proc(5): smaps). The memory of guests is known by its flags there.
HostState host_state();

/// "12 fds, 7 threads, 0 children, 3 files in the runtime directory"
std::string to_text(const HostState& state);

}  // namespace capsa::bench
