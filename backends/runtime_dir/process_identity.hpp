#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace capsa {

/// A process that cannot be mistaken for a later one with the same number: the kernel hands out
/// process numbers again, but not within one tick (10 ms) of the same start time.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  ///< ticks since boot: field 22 of proc(5) /proc/PID/stat

  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

/// The identity of a process that exists; a zombie has ended and gives nothing. Thread-safe.
std::optional<ProcessIdentity> identify_process(pid_t pid);

/// The identity of this process.
ProcessIdentity own_identity();

bool is_alive(const ProcessIdentity& process);

/// Sends SIGKILL if, and only if, that very process still runs, and waits up to `patience` for its
/// end. False where it was gone already, is somebody else's, or outlives the wait.
bool kill_process(const ProcessIdentity& process, std::chrono::milliseconds patience);

/// Parses "PID START_TIME\n", as the launcher writes it.
std::optional<ProcessIdentity> parse_pid_file(std::string_view text);

}  // namespace capsa
