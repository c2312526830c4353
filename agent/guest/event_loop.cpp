#include <sys/epoll.h>

#include <agent/guest/event_loop.hpp>
#include <algorithm>
#include <array>
#include <climits>

namespace capsa::agent::guest {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

std::chrono::steady_clock::time_point EventLoop::now() const {
  return std::chrono::steady_clock::now();
}

void EventLoop::apply(int fd, Watch& watch, std::uint32_t events) {
  watch.events = events;
  // Parked means out of epoll altogether: hang-ups are reported even for an empty event mask, and a
  // stream nobody may read right now would spin.
  if (events == 0) {
    if (watch.registered) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    watch.registered = false;
    return;
  }
  epoll_event event{};
  event.events = events;
  event.data.u64 = (std::uint64_t{watch.generation} << 32) | static_cast<std::uint32_t>(fd);
  ::epoll_ctl(epoll_.get(), watch.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  watch.registered = true;
}

void EventLoop::watch(int fd, std::uint32_t events, ReadyCallback ready) {
  unwatch(fd);
  auto entry = std::make_shared<Watch>();
  entry->generation = next_generation_++;
  entry->ready = std::move(ready);
  watches_[fd] = entry;
  apply(fd, *entry, events);
}

void EventLoop::rearm(int fd, std::uint32_t events) {
  const auto entry = watches_.find(fd);
  if (entry != watches_.end() && entry->second->events != events) apply(fd, *entry->second, events);
}

void EventLoop::unwatch(int fd) {
  const auto entry = watches_.find(fd);
  if (entry == watches_.end()) return;
  apply(fd, *entry->second, 0);
  watches_.erase(entry);
}

EventLoop::TimerId EventLoop::call_after(std::chrono::nanoseconds delay, Callback callback) {
  const TimerId id = next_timer_++;
  const Deadline deadline{now() + delay, id};
  deadlines_[id] = deadline;
  timers_[deadline] = std::move(callback);
  return id;
}

void EventLoop::cancel(TimerId timer) {
  const auto entry = deadlines_.find(timer);
  if (entry == deadlines_.end()) return;
  timers_.erase(entry->second);
  deadlines_.erase(entry);
}

void EventLoop::post(Callback callback) {
  posted_.push_back(std::move(callback));
}

void EventLoop::run_posted() {
  // What is posted meanwhile waits for the next turn, so that descriptors get theirs.
  const auto posted = std::exchange(posted_, {});
  for (const auto& callback : posted)
    callback();
}

void EventLoop::run_timers() {
  // Timers set meanwhile have a higher id and a deadline not before this moment: next turn.
  const Deadline due{now(), next_timer_};
  while (!timers_.empty() && timers_.begin()->first < due) {
    auto node = timers_.extract(timers_.begin());
    deadlines_.erase(node.key().second);
    node.mapped()();
  }
}

int EventLoop::wait_milliseconds() const {
  if (!posted_.empty()) return 0;
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first.first - now();
  // Rounded up: waking early would spin until the deadline.
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<long long>(milliseconds, 0, INT_MAX));
}

void EventLoop::run() {
  std::array<epoll_event, 64> events;
  while (!stopped_) {
    run_posted();
    run_timers();
    if (stopped_) break;
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   wait_milliseconds());
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      const auto entry = watches_.find(static_cast<int>(event.data.u64 & 0xffffffff));
      if (entry == watches_.end()) continue;
      const auto watch = entry->second;  // kept while it runs: it may unwatch itself
      if (watch->generation == event.data.u64 >> 32 && watch->registered)
        watch->ready(event.events & (watch->events | EPOLLHUP | EPOLLERR));
    }
  }
}

}  // namespace capsa::agent::guest
