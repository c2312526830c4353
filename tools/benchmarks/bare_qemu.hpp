#pragma once

#include <capsa/guest.hpp>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace capsa::bench {

/// What the agent writes to the console when it is told capsa.ready=1.
constexpr const char* kReadyLine = "capsa-agent ready";

struct BareMachine {
  std::filesystem::path qemu;
  bool kvm = false;
  unsigned cpus = 1;
  unsigned memory_mb = 512;
};

/// The command line of a QEMU that knows nothing of this library: a microvm with a serial port, on
/// its standard input and output, and no device besides. `more` is added to the kernel's.
std::vector<std::string> bare_qemu(const BareMachine& machine, const GuestAssets& guest,
                                   const std::string& more);

/// Boots the guest in one. The time from spawn to the agent's line on that port; throws
/// capsa::error where it does not come within three minutes.
std::chrono::nanoseconds time_bare_boot(const BareMachine& machine, const GuestAssets& guest);

}  // namespace capsa::bench
