#pragma once

#include <capsa/loop.hpp>
#include <chrono>
#include <functional>

namespace capsa::agent::guest {

/// How a machine goes down, step by step; the steps touch the whole machine, so tests give others.
struct ShutdownSteps {
  std::function<void()> begun;                ///< nothing is to be started any more
  std::function<void(int signo)> signal_all;  ///< every process but this one
  std::function<bool()> any_left;             ///< reaps; whether there are processes still
  std::function<void()> unmount_all;          ///< sync, unmount, the rest read-only
  std::function<void(bool reboot)> end;       ///< does not return on a real machine
};

/// An orderly end: answers are sent, programs get SIGTERM and, when the grace is over, SIGKILL,
/// file systems are written and unmounted, and the machine is turned off. Programs that end early
/// shorten it.
class ShutdownSequence {
 public:
  ShutdownSequence(Loop& loop, ShutdownSteps steps) : loop_(loop), steps_(std::move(steps)) {}

  /// The first call counts; a later one with less patience does shorten the grace.
  void begin(bool reboot, std::chrono::milliseconds grace);
  bool running() const { return phase_ != Phase::Idle; }
  /// After every SIGCHLD: whether any process is left.
  void on_children(bool any_left);

 private:
  enum class Phase { Idle, Announced, Terminating, Killing, Down };
  void terminate();
  void kill();
  void go_down();
  void next(std::chrono::milliseconds delay, void (ShutdownSequence::*step)());

  Loop& loop_;
  ShutdownSteps steps_;
  Phase phase_ = Phase::Idle;
  bool reboot_ = false;
  std::chrono::milliseconds grace_{0};
  std::chrono::steady_clock::time_point kill_at_;
  Loop::TimerId timer_ = 0;
};

/// The real steps, but for `begun` and `any_left`, which are the caller's.
ShutdownSteps machine_shutdown_steps();

}  // namespace capsa::agent::guest
