#pragma once

#include <actors/loop/callback_thread.hpp>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace capsa {

/// Where a runtime runs its user's functions: on one thread, in the order in which they were
/// posted. The thread outlives the VMs, as their ends are told there. After stop() nothing is left
/// that a function could come before or keep waiting: what is posted then runs inside post().
/// Futures share this object and may outlive the runtime. Thread-safe.
class Callbacks : public std::enable_shared_from_this<Callbacks> {
 public:
  void post(std::function<void()> work) {
    {
      std::lock_guard lock(mutex_);
      if (!stopped_) {
        ++queued_;
        // Inside the lock: the thread is there while something is queued, and the order is ours.
        thread_->post([self = shared_from_this(), work = std::move(work)]() mutable {
          run(work);
          self->ran_one();
        });
        return;
      }
    }
    run(work);
  }

  /// Runs what is queued, and what that posts, and ends the thread. Does nothing on the thread
  /// itself, which cannot wait for its own work. Idempotent.
  void stop() {
    if (on_this_thread()) return;
    // Behind what those have posted who have the thread itself, and are gone by now.
    post([] {});
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return queued_ == 0; });
    stopped_ = true;
    const auto ending = std::move(thread_);
    lock.unlock();  // before it is joined: its last piece of work takes the lock
  }

  /// Functions that wait for their turn, and the one that runs.
  std::size_t queued() const {
    std::lock_guard lock(mutex_);
    return queued_;
  }

  /// For units that end before stop().
  CallbackThread& thread() { return *thread_; }

 private:
  static void run(std::function<void()>& work) {
    try {
      work();
    } catch (...) {
      // The user's function has nobody to tell; continuations fold theirs into their future.
    }
    work = nullptr;  // what it holds goes before stop() returns
  }

  void ran_one() {
    std::lock_guard lock(mutex_);
    if (--queued_ == 0) idle_.notify_all();
  }

  bool on_this_thread() {
    std::lock_guard lock(mutex_);
    return thread_ && thread_->on_this_thread();
  }

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable idle_;
  std::size_t queued_ = 0;
  bool stopped_ = false;
  std::unique_ptr<CallbackThread> thread_ = std::make_unique<CallbackThread>("capsa-callback");
};

}  // namespace capsa
