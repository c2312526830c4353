#pragma once

#include <backends/qemu/child_process.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace capsa::qemu {

/// A descriptor for a child: `fd` here, `number` there. Numbers have no gap and start at 3.
struct InheritedFd {
  UniqueFd fd;
  int number = -1;
};

struct SpawnRequest {
  std::filesystem::path launcher;  ///< capsa-launcher
  std::filesystem::path program;
  std::vector<std::string> arguments;  ///< without the program's own name
  std::vector<InheritedFd> fds;
  /// Written before the program starts, removed by whoever reaps it; empty: none.
  std::filesystem::path pid_file;
};

/// Copies a borrowed descriptor for a SpawnRequest, to a number that no child's can collide with.
result<UniqueFd> duplicate_for_child(int fd);

/// Starts processes that die with this one. The kernel ties a child's parent-death signal
/// (prctl(2), PR_SET_PDEATHSIG) to the *thread* that made it, not to the process; so one thread
/// makes them all, and lives as long as this object. It starts children with posix_spawn(3), never
/// by fork(2), which would stall on a large process.
///
/// A child gets: the descriptors of its request and no other, /dev/null as standard input and
/// output, a pipe to us as standard error, a session of its own, default signal handling, and of
/// the environment only what finding libraries and temporary files needs.
///
/// Thread-safe. Destruction waits for spawns under way, answers what is queued with
/// RuntimeShutdown, and reaps what was let go of; children still held are killed by the kernel
/// when the thread ends, or else by their holder.
class Spawner {
 public:
  /// Called once, on the spawner's thread: hand the result to where it belongs, e.g. Loop::post.
  using Done = std::function<void(result<ChildProcess>)>;

  Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;
  ~Spawner();

  /// Starts a process. Success means that the launcher runs: a program that it cannot run is seen
  /// by exit status 127 and the reason on standard error.
  void spawn(SpawnRequest request, Done done);

 private:
  class Worker;
  std::shared_ptr<Worker> worker_;
};

}  // namespace capsa::qemu
