#include <actors/runtime/callbacks.hpp>

#include <pthread.h>

#include <memory>

namespace capsa {

CallbackThread::CallbackThread()
    : shared_(std::make_shared<Shared>()), thread_([shared = shared_] { run(shared); }) {}

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

void CallbackThread::run(const std::shared_ptr<Shared>& shared) {
  ::pthread_setname_np(::pthread_self(), "capsa-callback");
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
