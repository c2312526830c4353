#include <actors/loop/callback_thread.hpp>

#include <pthread.h>

#include <exception>
#include <future>
#include <memory>

namespace capsa {

namespace {
thread_local bool of_a_runtime = false;
}

bool on_runtime_thread() noexcept {
  return of_a_runtime;
}

void mark_runtime_thread() noexcept {
  of_a_runtime = true;
}

CallbackThread::CallbackThread(const char* name)
    : shared_(std::make_shared<Shared>()),
      thread_([shared = shared_, name] { run(shared, name); }) {}

CallbackThread::~CallbackThread() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
  }
  shared_->ready.notify_all();
  // The last handle of a runtime may be dropped inside a callback.
  if (on_this_thread())
    thread_.detach();
  else
    thread_.join();
}

void CallbackThread::post(std::function<void()> work) {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->queue.push_back(std::move(work));
  }
  shared_->ready.notify_one();
}

void CallbackThread::call(const std::function<void()>& work) {
  std::promise<void> done;
  post([&] {
    try {
      work();
      done.set_value();
    } catch (...) {
      done.set_exception(std::current_exception());
    }
  });
  done.get_future().get();
}

void CallbackThread::run(const std::shared_ptr<Shared>& shared, const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
  mark_runtime_thread();
  std::unique_lock lock(shared->mutex);
  while (true) {
    shared->ready.wait(lock, [&] { return shared->stopping || !shared->queue.empty(); });
    if (shared->queue.empty()) return;
    auto work = std::move(shared->queue.front());
    shared->queue.pop_front();
    lock.unlock();
    try {
      work();
    } catch (...) {
      // The user's function has nobody to tell; continuations fold theirs into their future.
    }
    work = nullptr;
    lock.lock();
  }
}

}  // namespace capsa
