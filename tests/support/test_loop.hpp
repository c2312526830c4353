#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace capsa::tests {

/// A real epoll loop that a test runs by hand on its own thread. post() may come from any thread.
class TestLoop final : public Loop {
 public:
  TestLoop()
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = wake_.get();
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
  }

  void watch(int fd, std::uint32_t events, ReadyCallback ready) override {
    watches_[fd] = std::make_shared<ReadyCallback>(std::move(ready));
    control(EPOLL_CTL_ADD, fd, events);
  }
  void rearm(int fd, std::uint32_t events) override { control(EPOLL_CTL_MOD, fd, events); }
  void unwatch(int fd) override {
    if (watches_.erase(fd) != 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    // Collected events of this fd must not reach whoever watches the same number next.
    std::erase_if(collected_, [fd](const epoll_event& one) { return one.data.fd == fd; });
  }

  TimerId call_after(std::chrono::nanoseconds delay, Callback callback) override {
    const TimerId id = next_timer_++;
    timers_.emplace(std::pair(now() + delay, id), std::move(callback));
    return id;
  }
  void cancel(TimerId timer) override {
    std::erase_if(timers_, [timer](const auto& one) { return one.first.second == timer; });
  }

  void post(Callback callback) override {
    {
      const std::lock_guard guard(mutex_);
      posted_.push_back(std::move(callback));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  }

  std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::now();
  }

  /// Runs until `done()` holds. False if it does not within `limit`.
  template <class Predicate>
  bool run_until(Predicate done, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto deadline = now() + limit;
    while (!done()) {
      if (now() >= deadline) return false;
      step(deadline);
    }
    return true;
  }

  /// Runs for as long as it takes to be idle: nothing posted, no fd ready, no timer due.
  void run_ready() {
    while (step(now())) {
    }
  }

 private:
  using Due = std::pair<std::chrono::steady_clock::time_point, TimerId>;

  void control(int operation, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    ::epoll_ctl(epoll_.get(), operation, fd, &event);
  }

  // One round of waiting, at most until `deadline`. True if anything was called.
  bool step(std::chrono::steady_clock::time_point deadline) {
    bool called = run_posted() || run_timers();
    auto until = called ? now() : deadline;
    if (!timers_.empty()) until = std::min(until, timers_.begin()->first.first);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now()).count();
    std::array<epoll_event, 32> ready{};
    const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()),
                                   static_cast<int>(std::max<std::int64_t>(0, left)));
    collected_.assign(ready.begin(), ready.begin() + std::max(0, count));
    while (!collected_.empty()) {
      const epoll_event event = collected_.front();
      collected_.pop_front();
      called = true;
      if (event.data.fd == wake_.get()) {
        std::uint64_t drained = 0;
        [[maybe_unused]] const auto got = ::read(wake_.get(), &drained, sizeof drained);
        continue;
      }
      const auto found = watches_.find(event.data.fd);
      if (found == watches_.end()) continue;
      const auto ready_callback = found->second;  // outlives its own unwatch()
      (*ready_callback)(event.events);
    }
    return run_posted() || called;
  }

  bool run_posted() {
    std::deque<Callback> batch;
    {
      const std::lock_guard guard(mutex_);
      batch.swap(posted_);
    }
    for (const auto& callback : batch)
      callback();
    return !batch.empty();
  }

  bool run_timers() {
    bool called = false;
    while (!timers_.empty() && timers_.begin()->first.first <= now()) {
      const auto callback = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      callback();
      called = true;
    }
    return called;
  }

  UniqueFd epoll_;
  UniqueFd wake_;
  std::map<int, std::shared_ptr<ReadyCallback>> watches_;
  std::deque<epoll_event> collected_;
  std::map<Due, Callback> timers_;
  TimerId next_timer_ = 1;
  std::mutex mutex_;
  std::deque<Callback> posted_;
};

}  // namespace capsa::tests
