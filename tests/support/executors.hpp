#pragma once

#include <backends/virtio/device.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

namespace capsa::test {

/// Runs everything inside submit().
class InlineExecutor final : public virtio::Executor {
 public:
  void submit(std::function<void()> work, std::function<void()> done) override {
    work();
    done();
  }
};

/// Keeps everything until a test runs it, so that a test decides what overlaps.
class ManualExecutor final : public virtio::Executor {
 public:
  void submit(std::function<void()> work, std::function<void()> done) override {
    steps_.emplace_back(std::move(work));
    steps_.emplace_back(std::move(done));
  }
  /// Runs one step: a piece of work, or what follows it. False where there is none.
  bool step() {
    if (steps_.empty()) return false;
    const auto next = std::move(steps_.front());
    steps_.pop_front();
    next();
    return true;
  }
  /// Runs until nothing is left, what the steps submit included.
  void run_all() {
    while (step()) {
    }
  }
  /// Steps left: two per piece of work.
  std::size_t pending() const { return steps_.size(); }

 private:
  std::deque<std::function<void()>> steps_;
};

}  // namespace capsa::test
