#pragma once

#include <atomic>
#include <caf/all.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/error.hpp>
#include <capsa/loop.hpp>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace capsa::loop {

/// An epoll loop that is also where actors live: their messages and the readiness of their fds are
/// handled on one thread, without a lock between them and without a second wake-up. CAF's own
/// brokers do the same with their multiplexer.
class EpollLoop final : public caf::execution_unit, public Loop {
 public:
  explicit EpollLoop(caf::actor_system& system);
  ~EpollLoop() override;
  EpollLoop(const EpollLoop&) = delete;
  EpollLoop& operator=(const EpollLoop&) = delete;

  /// Ends the thread once the actors that live here have ended. Not from the loop's own thread.
  void stop();

  /// CPU time of the loop's thread.
  std::chrono::nanoseconds cpu_time() const;
  bool on_this_thread() const noexcept { return std::this_thread::get_id() == thread_.get_id(); }

  // -- caf::execution_unit
  /// Queues an actor that has something to do. The reference that the caller holds becomes ours.
  void exec_later(caf::resumable* job) override;

  // -- Loop
  void watch(int fd, std::uint32_t events, ReadyCallback ready) override;
  void rearm(int fd, std::uint32_t events) override;
  void unwatch(int fd) override;
  TimerId call_after(std::chrono::nanoseconds delay, Callback callback) override;
  void cancel(TimerId timer) override;
  void post(Callback callback) override;
  std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::now();
  }

 private:
  struct Watch {
    int fd;
    std::uint32_t events;
    bool registered;  // epoll reports EPOLLHUP even for an empty mask: a parked fd is taken out
    ReadyCallback ready;
  };
  using TimerKey = std::pair<std::chrono::steady_clock::time_point, TimerId>;

  void run();
  void take_remote();
  void run_jobs();
  void run_timers();
  void wait_for_events();
  void wake();

  UniqueFd epoll_;
  UniqueFd wake_;

  std::mutex mutex_;  // guards remote_jobs_, remote_calls_
  std::vector<caf::resumable*> remote_jobs_;
  std::vector<Callback> remote_calls_;

  // The rest belongs to the loop's thread.
  std::deque<caf::resumable*> jobs_;
  std::deque<Callback> calls_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::map<TimerKey, Callback> timers_;
  std::unordered_map<TimerId, std::chrono::steady_clock::time_point> timer_times_;
  TimerId next_timer_ = 1;

  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace capsa::loop
