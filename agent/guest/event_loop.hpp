#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

namespace capsa::agent::guest {

/// The agent's only thread: epoll(7) and timers. Every call, post() too, is made on that thread.
class EventLoop final : public Loop {
 public:
  EventLoop();
  ~EventLoop() override = default;

  void watch(int fd, std::uint32_t events, ReadyCallback ready) override;
  void rearm(int fd, std::uint32_t events) override;
  void unwatch(int fd) override;
  TimerId call_after(std::chrono::nanoseconds delay, Callback callback) override;
  void cancel(TimerId timer) override;
  void post(Callback callback) override;
  std::chrono::steady_clock::time_point now() const override;

  /// Until stop().
  void run();
  void stop() { stopped_ = true; }

 private:
  struct Watch {
    std::uint32_t generation = 0;  // tells a closed and reused fd's stale event from a fresh one
    std::uint32_t events = 0;
    bool registered = false;
    ReadyCallback ready;
  };
  using Deadline = std::pair<std::chrono::steady_clock::time_point, TimerId>;

  void apply(int fd, Watch& watch, std::uint32_t events);
  void run_posted();
  void run_timers();
  int wait_milliseconds() const;

  UniqueFd epoll_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::map<Deadline, Callback> timers_;
  std::unordered_map<TimerId, Deadline> deadlines_;
  std::vector<Callback> posted_;
  std::uint32_t next_generation_ = 1;
  TimerId next_timer_ = 1;
  bool stopped_ = false;
};

}  // namespace capsa::agent::guest
