#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>

namespace capsa::cli {

/// What a command's main thread does while a VM runs: it takes signals, timers, and work that other
/// threads hand over, one at a time.
class MainLoop {
 public:
  using Work = std::function<void()>;
  using Clock = std::chrono::steady_clock;

  /// Blocks `signals` in this thread, and so in every thread that is started later: they come to
  /// `on_signal` in run() instead. Those that are ignored stay so.
  MainLoop(std::initializer_list<int> signals, std::function<void(int)> on_signal);

  /// Hands work over. From any thread; still safe, and then for nothing, once the loop is gone.
  std::function<void(Work)> poster() const;

  /// Calls `work` once, later, from run().
  void after(std::chrono::milliseconds delay, Work work);

  /// Runs until quit() and gives its status.
  int run();
  /// The first status counts.
  void quit(int status);

  /// From now on signals act as they do by default.
  void let_signals_through();

 private:
  struct Queue {
    std::mutex mutex;
    std::deque<Work> work;
    UniqueFd wake;
  };

  int milliseconds_to_next() const;
  void read_signals();
  void run_posted();
  void run_timers();

  std::function<void(int)> on_signal_;
  UniqueFd signals_;
  std::shared_ptr<Queue> queue_;
  std::multimap<Clock::time_point, Work> timers_;
  bool done_ = false;
  int status_ = 0;
};

}  // namespace capsa::cli
