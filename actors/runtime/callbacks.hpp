#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace capsa {

/// The thread on which the user's functions run: continuations, output handlers, event handlers.
/// They may block, and then delay each other, never a VM.
class CallbackThread {
 public:
  CallbackThread();
  /// Runs what is queued, then joins; on its own thread it detaches instead.
  ~CallbackThread();
  CallbackThread(const CallbackThread&) = delete;
  CallbackThread& operator=(const CallbackThread&) = delete;

  /// From any thread.
  void post(std::function<void()> work);
  bool on_this_thread() const noexcept { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable ready;
    std::deque<std::function<void()>> queue;
    bool stopping = false;
  };
  static void run(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace capsa
