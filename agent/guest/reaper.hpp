#pragma once

#include <sys/types.h>

#include <functional>
#include <unordered_map>

namespace capsa::agent::guest {

/// Takes every child that ended, as process 1 must: those started here are reported, orphans that
/// the kernel gave us are just removed.
class Reaper {
 public:
  using Ended = std::function<void(int wait_status)>;

  /// Right after fork(2); `ended` is called from collect(), never from here.
  void track(pid_t child, Ended ended) { tracked_[child] = std::move(ended); }
  /// The child stays to be reaped, nobody is told.
  void forget(pid_t child) { tracked_.erase(child); }
  /// On SIGCHLD. Returns false if there are no children at all.
  bool collect();

 private:
  std::unordered_map<pid_t, Ended> tracked_;
};

/// Signals a program and all that share its session: job control spreads a terminal's jobs over
/// many process groups. Programs that called setsid(2) have left on purpose.
void kill_session(pid_t leader, int signo);

}  // namespace capsa::agent::guest
