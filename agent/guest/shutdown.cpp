#include <signal.h>

#include <agent/guest/shutdown.hpp>
#include <algorithm>

namespace capsa::agent::guest {

namespace {

using std::chrono::milliseconds;

// For the answer to the request to get out; the connection stays open beyond it.
constexpr milliseconds kAnnounce{20};
// A killed process is gone once the kernel let go of it; one stuck in a dead device never is.
constexpr milliseconds kAfterKill{1000};

}  // namespace

void ShutdownSequence::next(milliseconds delay, void (ShutdownSequence::*step)()) {
  loop_.cancel(timer_);
  timer_ = loop_.call_after(std::max(delay, milliseconds(0)), [this, step] { (this->*step)(); });
}

void ShutdownSequence::begin(bool reboot, milliseconds grace) {
  if (phase_ == Phase::Idle) {
    phase_ = Phase::Announced;
    reboot_ = reboot;
    grace_ = grace;
    steps_.begun();
    return next(kAnnounce, &ShutdownSequence::terminate);
  }
  if (phase_ == Phase::Announced) grace_ = std::min(grace_, grace);
  if (phase_ == Phase::Terminating && loop_.now() + grace < kill_at_) {
    kill_at_ = loop_.now() + grace;
    next(grace, &ShutdownSequence::kill);
  }
}

void ShutdownSequence::terminate() {
  phase_ = Phase::Terminating;
  kill_at_ = loop_.now() + grace_;
  next(grace_, &ShutdownSequence::kill);
  steps_.signal_all(SIGTERM);
  // Stopped processes have to run to take it.
  steps_.signal_all(SIGCONT);
  on_children(steps_.any_left());  // with nothing running no SIGCHLD will come
}

void ShutdownSequence::kill() {
  phase_ = Phase::Killing;
  next(kAfterKill, &ShutdownSequence::go_down);
  steps_.signal_all(SIGKILL);
}

void ShutdownSequence::on_children(bool any_left) {
  if (any_left || (phase_ != Phase::Terminating && phase_ != Phase::Killing)) return;
  next(milliseconds(0), &ShutdownSequence::go_down);
}

void ShutdownSequence::go_down() {
  if (phase_ == Phase::Down) return;
  phase_ = Phase::Down;
  steps_.unmount_all();
  steps_.end(reboot_);
}

}  // namespace capsa::agent::guest
