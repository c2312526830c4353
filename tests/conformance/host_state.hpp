#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace capsa::test {

/// What this process has on the host.
struct HostState {
  std::size_t fds = 0;
  std::size_t threads = 0;
  std::size_t children = 0;      ///< processes that it started and that are still there
  std::size_t resident_kib = 0;  ///< resident memory
};

HostState host_state();
/// Processes below this one that run QEMU.
std::vector<int> qemu_processes(int parent);

/// How many machines this program runs: QEMU processes, and machines of KVM in this process.
std::size_t machines_here();
/// Files and directories below `dir`.
std::size_t entries_below(const std::filesystem::path& dir);
/// Whether `condition` becomes true within ten seconds; looks every 10 ms, as what it looks at
/// (other processes) tells nobody when it changes.
bool eventually(const std::function<bool()>& condition);

}  // namespace capsa::test
