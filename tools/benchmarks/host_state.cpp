#include <tools/benchmarks/host_state.hpp>

#include <backends/runtime_dir/runtime_dir.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

namespace capsa::bench {

namespace {

namespace fs = std::filesystem;

template <class Iterator>
std::size_t count(const fs::path& directory) {
  std::error_code failed;
  std::size_t n = 0;
  for (Iterator it(directory, failed), end; !failed && it != end; it.increment(failed))
    ++n;
  return n;
}

std::size_t count_children() {
  std::size_t n = 0;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream children(task.path() / "children");
    n += static_cast<std::size_t>(
        std::distance(std::istream_iterator<long>(children), std::istream_iterator<long>()));
  }
  return n;
}

void add_memory(HostState& state) {
  std::ifstream maps("/proc/self/smaps");
  std::uint64_t resident = 0;
  std::uint64_t own = 0;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t kib = 0;
    words >> key >> kib;
    if (key == "Rss:") resident = kib * 1024;
    if (key == "Private_Clean:" || key == "Private_Dirty:") own += kib * 1024;
    if (key != "VmFlags:") continue;
    // The last line of a mapping: neither inherited nor dumped, in huge pages.
    const auto has = [&](const char* flag) { return line.find(flag) != std::string::npos; };
    if (has(" dc ") && has(" dd ") && has(" hg")) {
      state.guest_memory += resident;
    } else {
      state.resident += resident;
      state.own += own;
    }
    own = 0;
  }
}

}  // namespace

HostState host_state() {
  HostState state;
  // Without the one that lists them.
  state.fds = count<fs::directory_iterator>("/proc/self/fd") - 1;
  state.threads = count<fs::directory_iterator>("/proc/self/task");
  state.children = count_children();
  state.files = count<fs::recursive_directory_iterator>(runtime_base());
  add_memory(state);
  return state;
}

std::string to_text(const HostState& state) {
  std::ostringstream out;
  out << state.fds << " fds, " << state.threads << " threads, " << state.children << " children, "
      << state.files << " files in the runtime directory";
  return out.str();
}

}  // namespace capsa::bench
