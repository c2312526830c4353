#pragma once

#include <capsa/loop.hpp>
#include <chrono>
#include <map>
#include <utility>

namespace capsa::agent::test {

/// A loop whose time passes when the test says so.
class ManualLoop final : public Loop {
 public:
  void watch(int, std::uint32_t, ReadyCallback) override {}
  void rearm(int, std::uint32_t) override {}
  void unwatch(int) override {}
  TimerId call_after(std::chrono::nanoseconds delay, Callback callback) override {
    timers_[{now_ + delay, ++last_}] = std::move(callback);
    return last_;
  }
  void cancel(TimerId timer) override {
    std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
  }
  void post(Callback callback) override { call_after({}, std::move(callback)); }
  std::chrono::steady_clock::time_point now() const override { return now_; }

  /// Runs what comes due until then.
  void advance(std::chrono::nanoseconds by) {
    const auto until = now_ + by;
    while (!timers_.empty() && timers_.begin()->first.first <= until) {
      auto node = timers_.extract(timers_.begin());
      now_ = node.key().first;
      node.mapped()();
    }
    now_ = until;
  }

 private:
  std::chrono::steady_clock::time_point now_{};
  TimerId last_ = 0;
  std::map<std::pair<std::chrono::steady_clock::time_point, TimerId>, Callback> timers_;
};

}  // namespace capsa::agent::test
