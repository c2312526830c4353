#include <tools/benchmarks/own_threads.hpp>

#include <filesystem>
#include <fstream>

namespace capsa::bench {

std::map<std::string, std::chrono::nanoseconds> own_threads() {
  std::map<std::string, std::chrono::nanoseconds> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream times(task.path() / "schedstat");
    std::ifstream names(task.path() / "comm");
    std::int64_t running = 0;
    std::string name;
    // A thread may end between the listing and here.
    if (times >> running && std::getline(names, name))
      found[name + "/" + task.path().filename().string()] = std::chrono::nanoseconds(running);
  }
  return found;
}

}  // namespace capsa::bench
