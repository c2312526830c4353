#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include <backends/block/io_threads.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

namespace capsa::block {
namespace {

/// As many as a fast disk needs in flight to be busy; most of them sleep.
constexpr unsigned kThreads = 8;

int carry_out(const FileStep& step) {
  const auto offset = static_cast<off_t>(step.offset);
  const auto count = static_cast<int>(step.count);
  ssize_t outcome = 0;
  do {
    switch (step.kind) {
      case FileStep::Kind::Nothing:
        return 0;
      case FileStep::Kind::Read:
        outcome = ::preadv2(step.fd, step.buffers, count, offset, step.flags);
        break;
      case FileStep::Kind::Write:
        outcome = ::pwritev2(step.fd, step.buffers, count, offset, step.flags);
        break;
      case FileStep::Kind::Sync:
        outcome = ::fdatasync(step.fd);
        break;
      case FileStep::Kind::Allocate:
        outcome = ::fallocate(step.fd, step.flags, offset, static_cast<off_t>(step.length));
        break;
    }
  } while (outcome < 0 && errno == EINTR);
  return outcome < 0 ? -errno : static_cast<int>(outcome);
}

}  // namespace

result<std::shared_ptr<IoThreads>> IoThreads::create(Loop& loop) {
  std::shared_ptr<IoThreads> made(new IoThreads(loop));
  // Signals are for the threads that expect them.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    for (unsigned i = 0; i < kThreads; ++i)
      made->threads_.emplace_back([io = made.get()] { io->run(); });
  } catch (const std::system_error&) {
    // Fewer do, too.
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (made->threads_.empty()) {
    return error(ErrorCode::ResourceExhausted, "disks: no thread can be started",
                 "raise the limit of processes (ulimit -u)");
  }
  return made;
}

IoThreads::~IoThreads() {
  {
    const std::lock_guard guard(mutex_);
    stop_ = true;
  }
  work_there_.notify_all();
  for (auto& thread : threads_)
    thread.join();
}

void IoThreads::start(FileUser& user, Request& request, const FileStep& step) {
  request.progress.owner = &user;
  started_.push_back({&request, step});
}

void IoThreads::submit() {
  if (started_.empty()) return;
  const bool one = started_.size() == 1;
  {
    const std::lock_guard guard(mutex_);
    work_.insert(work_.end(), started_.begin(), started_.end());
  }
  started_.clear();
  if (one) {
    work_there_.notify_one();
  } else {
    work_there_.notify_all();
  }
}

void IoThreads::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_there_.wait(lock, [this] { return stop_ || !work_.empty(); });
    if (stop_) return;
    const Work work = work_.front();
    work_.pop_front();
    lock.unlock();
    const int outcome = carry_out(work.step);
    lock.lock();
    finished_.push_back({work.request, outcome});
    finished_there_.notify_all();
    if (!std::exchange(reap_posted_, true)) post_reap();
  }
}

void IoThreads::post_reap() {
  loop_.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->reap();
    self->touched_.end_batch();
    self->submit();
  });
}

void IoThreads::reap() {
  std::vector<Finished> finished;
  {
    const std::lock_guard guard(mutex_);
    finished.swap(finished_);
    reap_posted_ = false;
  }
  for (const Finished& one : finished) {
    auto& user = *static_cast<FileUser*>(one.request->progress.owner);
    touched_.add(user);
    user.finished(*one.request, one.outcome);
  }
}

void IoThreads::wait_for(FileUser& user, const std::size_t& in_flight) {
  while (in_flight != 0) {
    submit();
    {
      std::unique_lock lock(mutex_);
      finished_there_.wait(lock, [this] { return !finished_.empty(); });
    }
    reap();
  }
  touched_.forget(user);
  // The others are told from the loop, not from within whatever ends here.
  if (!touched_.empty()) post_reap();
}

}  // namespace capsa::block
