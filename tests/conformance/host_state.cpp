#include <tests/conformance/host_state.hpp>

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

namespace capsa::test {

namespace fs = std::filesystem;

namespace {

std::size_t count(const fs::path& dir) {
  std::error_code ignored;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(dir, ignored), fs::directory_iterator()));
}

std::vector<int> children_of(int parent) {
  std::vector<int> out;
  std::error_code ignored;
  for (const auto& task :
       fs::directory_iterator("/proc/" + std::to_string(parent) + "/task", ignored)) {
    std::ifstream list(task.path() / "children");
    for (int pid = 0; list >> pid;)
      out.push_back(pid);
  }
  return out;
}

}  // namespace

HostState host_state() {
  HostState state;
  state.fds = count("/proc/self/fd");
  state.threads = count("/proc/self/task");
  state.children = children_of(::getpid()).size();
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  state.resident_kib = resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
  return state;
}

std::vector<int> qemu_processes(int parent) {
  std::vector<int> out;
  for (const int pid : children_of(parent)) {
    std::ifstream comm("/proc/" + std::to_string(pid) + "/comm");
    std::string name;
    std::getline(comm, name);
    if (name.starts_with("qemu-system")) out.push_back(pid);
  }
  return out;
}

std::size_t machines_here() {
  std::size_t machines = qemu_processes(::getpid()).size();
  std::error_code ignored;
  for (const auto& fd : fs::directory_iterator("/proc/self/fd", ignored))
    if (fs::read_symlink(fd.path(), ignored) == "anon_inode:kvm-vm") ++machines;
  return machines;
}

std::size_t entries_below(const fs::path& dir) {
  std::error_code ignored;
  return static_cast<std::size_t>(std::distance(fs::recursive_directory_iterator(dir, ignored),
                                                fs::recursive_directory_iterator()));
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

}  // namespace capsa::test
