#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace capsa {

/// What the code below the actors needs of an event loop: fd readiness and timers on one thread.
/// The runtime's loops implement it on epoll; tests step one by hand. Unless said otherwise every
/// call is made on the loop's own thread.
class Loop {
 public:
  /// Must not block: others share the loop.
  using Callback = std::function<void()>;
  using ReadyCallback = std::function<void(std::uint32_t events)>;  ///< epoll(7) event bits
  /// Never 0, and used once only.
  using TimerId = std::uint64_t;

  virtual ~Loop() = default;

  /// Calls `ready` whenever `fd` has one of `events` (EPOLLIN, EPOLLOUT, …), level-triggered, until
  /// unwatch(). One watch per fd. The fd stays the caller's and is unwatched before it is closed.
  virtual void watch(int fd, std::uint32_t events, ReadyCallback ready) = 0;
  /// Changes which events an existing watch waits for; 0 parks it.
  virtual void rearm(int fd, std::uint32_t events) = 0;
  /// After this returns `ready` is not called again, even for events already collected.
  virtual void unwatch(int fd) = 0;

  /// Calls it once, not inside this call and not before `delay` has passed by now().
  virtual TimerId call_after(std::chrono::nanoseconds delay, Callback callback) = 0;
  /// A timer that has fired or was cancelled is ignored.
  virtual void cancel(TimerId timer) = 0;

  /// Runs `callback` on the loop's thread, soon. From any thread.
  virtual void post(Callback callback) = 0;

  /// The clock of its timers; a test's loop moves it by hand.
  virtual std::chrono::steady_clock::time_point now() const = 0;
};

}  // namespace capsa
