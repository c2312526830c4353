#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace capsa {

/// True on the threads of any runtime: those must not wait for the end of one.
bool on_runtime_thread() noexcept;
/// Called once by each such thread, at its start.
void mark_runtime_thread() noexcept;

/// A thread that runs one piece of work after the other. One runs the user's functions:
/// continuations, output handlers, event handlers. They may block, and then delay each other, never
/// a VM.
class CallbackThread {
 public:
  /// `name` has at most 15 bytes (pthread_setname_np(3)).
  explicit CallbackThread(const char* name);
  /// Runs what is queued, then joins; on its own thread it detaches instead.
  ~CallbackThread();
  CallbackThread(const CallbackThread&) = delete;
  CallbackThread& operator=(const CallbackThread&) = delete;

  /// From any thread.
  void post(std::function<void()> work);
  /// Runs `work` there and waits for it. Not from there.
  void call(const std::function<void()>& work);
  bool on_this_thread() const noexcept { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable ready;
    std::deque<std::function<void()>> queue;
    bool stopping = false;
  };
  static void run(const std::shared_ptr<Shared>& shared, const char* name);

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace capsa
