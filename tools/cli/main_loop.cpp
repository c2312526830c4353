#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <system_error>
#include <tools/cli/main_loop.hpp>

namespace capsa::cli {

MainLoop::MainLoop(std::initializer_list<int> signals, std::function<void(int)> on_signal)
    : on_signal_(std::move(on_signal)), queue_(std::make_shared<Queue>()) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal_number : signals)
    ::sigaddset(&set, signal_number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  queue_->wake.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signals_ || !queue_->wake)
    throw std::system_error(errno, std::generic_category(), "start the main loop");
}

std::function<void(MainLoop::Work)> MainLoop::poster() const {
  return [queue = queue_](Work work) {
    const std::lock_guard lock(queue->mutex);
    queue->work.push_back(std::move(work));
    ::eventfd_write(queue->wake.get(), 1);
  };
}

void MainLoop::after(std::chrono::milliseconds delay, Work work) {
  timers_.emplace(Clock::now() + delay, std::move(work));
}

int MainLoop::milliseconds_to_next() const {
  if (timers_.empty()) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX));
}

int MainLoop::run() {
  while (!done_) {
    std::array<pollfd, 2> fds = {pollfd{signals_.get(), POLLIN, 0},
                                 pollfd{queue_->wake.get(), POLLIN, 0}};
    ::poll(fds.data(), fds.size(), milliseconds_to_next());
    if ((fds[0].revents & POLLIN) != 0) read_signals();
    if ((fds[1].revents & POLLIN) != 0) run_posted();
    run_timers();
  }
  return status_;
}

void MainLoop::quit(int status) {
  if (done_) return;
  done_ = true;
  status_ = status;
}

void MainLoop::let_signals_through() {
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

void MainLoop::read_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info)
    on_signal_(static_cast<int>(info.ssi_signo));
}

void MainLoop::run_posted() {
  eventfd_t ignored = 0;
  ::eventfd_read(queue_->wake.get(), &ignored);
  std::deque<Work> work;
  {
    const std::lock_guard lock(queue_->mutex);
    work.swap(queue_->work);
  }
  for (auto& piece : work)
    piece();
}

void MainLoop::run_timers() {
  while (!timers_.empty() && timers_.begin()->first <= Clock::now()) {
    const auto work = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    work();
  }
}

}  // namespace capsa::cli
