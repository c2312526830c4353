#include <actors/loop/callback_thread.hpp>
#include <actors/loop/epoll_loop.hpp>
#include <actors/loop/quiet_thread.hpp>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include <array>
#include <cstring>

namespace capsa::loop {

namespace {

// One actor's turn, and one round of events: enough to amortize a wake-up, small enough that a busy
// actor does not starve the devices beside it.
constexpr std::size_t kMessagesPerTurn = 64;
constexpr int kEventsPerRound = 64;
// A frame takes four steps from one card through a switch to another.
constexpr int kRoundsBetweenPolls = 8;

}  // namespace

EpollLoop::EpollLoop(caf::actor_system& system)
    : caf::execution_unit(&system),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!epoll_ || !wake_) throw error_from_errno(errno, "make an event loop");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // every write is an edge: there is nothing to read back
  event.data.fd = wake_.get();
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0)
    throw error_from_errno(errno, "make an event loop");
  thread_ = quiet_thread([this] { run(); });
}

EpollLoop::~EpollLoop() {
  stop();
}

void EpollLoop::stop() {
  stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

std::chrono::nanoseconds EpollLoop::cpu_time() const {
  clockid_t clock;
  timespec t{};
  if (!thread_.joinable() ||
      ::pthread_getcpuclockid(const_cast<std::thread&>(thread_).native_handle(), &clock) != 0 ||
      ::clock_gettime(clock, &t) != 0)
    return {};
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

void EpollLoop::exec_later(caf::resumable* job) {
  if (on_this_thread()) {
    jobs_.push_back(job);
    return;
  }
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = remote_jobs_.empty() && remote_calls_.empty();
    remote_jobs_.push_back(job);
  }
  if (first) wake();
}

void EpollLoop::post(Callback callback) {
  if (on_this_thread()) {
    calls_.push_back(std::move(callback));
    return;
  }
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = remote_jobs_.empty() && remote_calls_.empty();
    remote_calls_.push_back(std::move(callback));
  }
  if (first) wake();
}

void EpollLoop::watch(int fd, std::uint32_t events, ReadyCallback ready) {
  unwatch(fd);
  watches_.emplace(fd, std::make_shared<Watch>(Watch{fd, 0, false, std::move(ready)}));
  rearm(fd, events);
}

void EpollLoop::rearm(int fd, std::uint32_t events) {
  const auto it = watches_.find(fd);
  if (it == watches_.end()) return;
  Watch& watch = *it->second;
  if (watch.registered && watch.events == events) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (events == 0) {
    if (watch.registered) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    watch.registered = false;
  } else {
    const int op = watch.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    watch.registered = ::epoll_ctl(epoll_.get(), op, fd, &event) == 0;
  }
  watch.events = events;
}

void EpollLoop::unwatch(int fd) {
  const auto it = watches_.find(fd);
  if (it == watches_.end()) return;
  if (it->second->registered) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  it->second->fd = -1;  // an event that was collected already finds no owner
  watches_.erase(it);
}

Loop::TimerId EpollLoop::call_after(std::chrono::nanoseconds delay, Callback callback) {
  const TimerId id = next_timer_++;
  const auto due = now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(delay);
  timers_.emplace(TimerKey{due, id}, std::move(callback));
  timer_times_.emplace(id, due);
  return id;
}

void EpollLoop::cancel(TimerId timer) {
  const auto it = timer_times_.find(timer);
  if (it == timer_times_.end()) return;
  timers_.erase(TimerKey{it->second, timer});
  timer_times_.erase(it);
}

void EpollLoop::wake() {
  const std::uint64_t one = 1;
  // Fails only where the counter is full, which takes longer than anything runs.
  [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
}

void EpollLoop::take_remote() {
  std::lock_guard lock(mutex_);
  jobs_.insert(jobs_.end(), remote_jobs_.begin(), remote_jobs_.end());
  remote_jobs_.clear();
  for (auto& call : remote_calls_)
    calls_.push_back(std::move(call));
  remote_calls_.clear();
}

void EpollLoop::run_jobs() {
  for (std::size_t n = calls_.size(); n > 0; --n) {
    const auto call = std::move(calls_.front());
    calls_.pop_front();
    call();
  }
  // Only what is there now: an actor that keeps itself busy goes behind the events of this round.
  for (std::size_t n = jobs_.size(); n > 0; --n) {
    caf::resumable* job = jobs_.front();
    jobs_.pop_front();
    switch (job->resume(this, kMessagesPerTurn)) {
      case caf::resumable::resume_later:
        jobs_.push_back(job);
        break;
      case caf::resumable::done:
      case caf::resumable::awaiting_message:
      case caf::resumable::shutdown_execution_unit:
        caf::intrusive_ptr_release(job);
        break;
    }
  }
}

void EpollLoop::run_timers() {
  while (!timers_.empty() && timers_.begin()->first.first <= now()) {
    const auto it = timers_.begin();
    const auto callback = std::move(it->second);
    timer_times_.erase(it->first.second);
    timers_.erase(it);
    callback();
  }
}

void EpollLoop::wait_for_events() {
  std::array<epoll_event, kEventsPerRound> events;
  timespec timeout{};
  const timespec* until = &timeout;
  if (jobs_.empty() && calls_.empty()) {
    if (timers_.empty()) {
      until = nullptr;
    } else {
      const auto left = std::max(timers_.begin()->first.first - now(),
                                 std::chrono::steady_clock::duration::zero());
      const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
      timeout.tv_sec = ns / 1'000'000'000;
      timeout.tv_nsec = ns % 1'000'000'000;
    }
  }
  const int n = ::epoll_pwait2(epoll_.get(), events.data(), kEventsPerRound, until, nullptr);
  for (int i = 0; i < n; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    if (fd == wake_.get()) continue;
    const auto it = watches_.find(fd);
    if (it == watches_.end()) continue;
    // The callback may unwatch itself, or another fd of this round.
    const auto watch = it->second;
    const auto ready = events[static_cast<std::size_t>(i)].events;
    if ((ready & (watch->events | EPOLLERR | EPOLLHUP)) != 0) watch->ready(ready);
  }
}

void EpollLoop::run() {
  ::pthread_setname_np(::pthread_self(), "capsa-io");
  mark_runtime_thread();
  system().thread_started();
  while (true) {
    take_remote();
    run_timers();
    run_jobs();
    // What one actor sends to another here goes on at once: a frame takes four such steps, and a
    // look at the descriptors between each costs more than the steps. Bounded, for their sake.
    for (int more = 0; more < kRoundsBetweenPolls && !(jobs_.empty() && calls_.empty()); ++more)
      run_jobs();
    if (stopping_) {
      take_remote();
      if (jobs_.empty() && calls_.empty()) break;
    }
    wait_for_events();
  }
  system().thread_terminates();
}

}  // namespace capsa::loop
