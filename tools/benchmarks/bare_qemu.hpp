#pragma once

#include <capsa/guest.hpp>
#include <chrono>
#include <filesystem>

namespace capsa::bench {

struct BareMachine {
  std::filesystem::path qemu;
  bool kvm = false;
  unsigned cpus = 1;
  unsigned memory_mb = 512;
};

/// Boots the guest in a QEMU that knows nothing of this library: a microvm with a serial port and
/// no device besides. The time from spawn to the agent's line "capsa-agent ready" on that port;
/// throws capsa::error where it does not come within a minute.
std::chrono::nanoseconds time_bare_boot(const BareMachine& machine, const GuestAssets& guest);

}  // namespace capsa::bench
