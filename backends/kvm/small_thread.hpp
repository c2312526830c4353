#pragma once

#include <pthread.h>

#include <functional>

namespace capsa::kvm {

/// A thread with a stack of 1 MiB. The usual 8 MiB have room for a huge page, which is zeroed when
/// a thread begins, and split and given back when it ends: more than all the rest of its end takes.
/// As std::thread: it is to be joined or detached before it is destroyed.
class SmallThread {
 public:
  /// Throws std::system_error where there is no thread to be had. `work` throws nothing.
  explicit SmallThread(std::function<void()> work);
  SmallThread(SmallThread&& other) noexcept;
  SmallThread& operator=(SmallThread&& other) noexcept;
  ~SmallThread();

  bool joinable() const noexcept { return joinable_; }
  bool is_this_thread() const noexcept { return ::pthread_equal(thread_, ::pthread_self()) != 0; }
  void join();
  void detach();

 private:
  pthread_t thread_{};
  bool joinable_ = false;
};

}  // namespace capsa::kvm
