#pragma once

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace capsa::loop {

/// Blocks the host program's signals in the calling thread for as long as it lives: a thread begun
/// meanwhile inherits that from its first instruction. A host program's signals are for its own
/// threads, and a pipe whose reader has gone answers a library's write with EPIPE, not with the end
/// of the program.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    // A crash is reported by the host program's own handler, and its profiler sees every thread.
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF})
      ::sigdelset(&all, own);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

/// A thread that runs `work` with them blocked, and what it begins as well.
template <class Work>
std::thread quiet_thread(Work work) {
  const SignalsBlocked blocked;
  return std::thread(std::move(work));
}

}  // namespace capsa::loop
