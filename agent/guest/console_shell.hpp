#pragma once

#include <agent/guest/reaper.hpp>
#include <capsa/loop.hpp>
#include <string>

namespace capsa::agent::guest {

/// A root shell without a login on the console, started again whenever it ends. Whoever holds the
/// console holds the host's end of it, and the host owns the guest.
class ConsoleShell {
 public:
  ConsoleShell(Loop& loop, Reaper& reaper) : loop_(loop), reaper_(reaper) {}
  ~ConsoleShell() { stop(); }

  void start();
  /// Not started again from here on.
  void stop();

 private:
  void spawn();
  void spawn_after(std::chrono::milliseconds delay);

  Loop& loop_;
  Reaper& reaper_;
  std::chrono::steady_clock::time_point spawned_at_;
  Loop::TimerId timer_ = 0;
  bool stopped_ = true;
};

}  // namespace capsa::agent::guest
