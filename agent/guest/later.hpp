#pragma once

#include <capsa/loop.hpp>
#include <functional>
#include <utility>

namespace capsa::agent::guest {

/// Calls a function again and again in turns of the loop of their own, so that long work on files
/// leaves turns to everybody else. Stops when destroyed.
class Later {
 public:
  Later(Loop& loop, std::function<void()> step) : loop_(loop), step_(std::move(step)) {}
  ~Later() { loop_.cancel(timer_); }
  Later(const Later&) = delete;
  Later& operator=(const Later&) = delete;

  /// One call, in the next turn; asking twice is asking once.
  void schedule() {
    if (timer_ != 0) return;
    timer_ = loop_.call_after(std::chrono::nanoseconds(0), [this] {
      timer_ = 0;
      step_();
    });
  }

 private:
  Loop& loop_;
  std::function<void()> step_;
  Loop::TimerId timer_ = 0;
};

}  // namespace capsa::agent::guest
