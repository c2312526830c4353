#pragma once

#include <capsa/result.hpp>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace capsa {

template <class T>
class future;
template <class T>
class promise;

namespace detail {

/// Where continuations run: takes a piece of work and runs it soon, not inside the call as long as
/// its runtime has not been shut down. Empty: on the thread that sets the promise.
using Post = std::function<void(std::function<void()>)>;

template <class T>
class FutureState {
 public:
  explicit FutureState(Post post) : post_(std::move(post)) {}

  bool set(result<T> value) {
    std::unique_lock lock(mutex_);
    if (done_) return false;
    done_ = true;
    if (continuation_) {
      auto continuation = std::move(continuation_);
      lock.unlock();
      run(std::move(continuation), std::move(value));
      return true;
    }
    value_.emplace(std::move(value));
    lock.unlock();
    ready_.notify_all();
    return true;
  }

  result<T> take() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return value_.has_value(); });
    return std::move(*value_);
  }

  bool wait_for(std::chrono::nanoseconds d) {
    std::unique_lock lock(mutex_);
    return ready_.wait_for(lock, d, [this] { return value_.has_value(); });
  }

  void on_ready(std::function<void(result<T>)> continuation) {
    std::unique_lock lock(mutex_);
    if (!value_) {
      continuation_ = std::move(continuation);
      return;
    }
    auto value = std::move(*value_);
    lock.unlock();
    run(std::move(continuation), std::move(value));
  }

  const Post& post() const noexcept { return post_; }

 private:
  void run(std::function<void(result<T>)> continuation, result<T> value) {
    if (!post_) return continuation(std::move(value));
    auto boxed = std::make_shared<result<T>>(std::move(value));
    post_([continuation = std::move(continuation), boxed] { continuation(std::move(*boxed)); });
  }

  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<result<T>> value_;
  std::function<void(result<T>)> continuation_;
  Post post_;
  bool done_ = false;
};

template <class T>
struct UnwrapResult {
  using type = T;
};
template <class T>
struct UnwrapResult<result<T>> {
  using type = T;
};

/// Calls f and folds what it throws into a result: nothing may escape to the thread that runs it.
template <class F, class Arg>
auto invoke_to_result(F& f, Arg&& arg) {
  using R = std::invoke_result_t<F&, Arg>;
  using Out = result<typename UnwrapResult<R>::type>;
  try {
    if constexpr (std::is_void_v<R>) {
      f(std::forward<Arg>(arg));
      return Out{};
    } else {
      return Out{f(std::forward<Arg>(arg))};
    }
  } catch (const capsa::error& e) {
    return Out{e};
  } catch (const std::exception& e) {
    return Out{capsa::error(ErrorCode::Internal, std::string("a continuation threw: ") + e.what())};
  } catch (...) {
    return Out{capsa::error(ErrorCode::Internal, "a continuation threw")};
  }
}

template <class T>
struct FuturePromiseBase {
  promise<T> promise_;
  void return_value(result<T> value) { promise_.set(std::move(value)); }
};
template <>
struct FuturePromiseBase<void>;

}  // namespace detail

/// The writing end of a future. Copyable; the first value wins and later ones are dropped.
/// Thread-safe. Whoever takes a promise answers it: a promise nobody sets leaves its future
/// waiting.
template <class T>
class promise {
 public:
  /// `post` is where continuations run; empty: on the thread that calls set().
  explicit promise(detail::Post post = {})
      : state_(std::make_shared<detail::FutureState<T>>(std::move(post))) {}

  /// False where a value was there already.
  bool set(result<T> value) const { return state_->set(std::move(value)); }
  /// Ask once: whatever shares the promise shares this one value.
  future<T> get_future() const { return future<T>(state_); }

 private:
  std::shared_ptr<detail::FutureState<T>> state_;
};

template <>
struct detail::FuturePromiseBase<void> {
  promise<void> promise_;
  void return_void() { promise_.set({}); }
};

/// What an operation will give. One consumer: get(), result(), then() and co_await each take the
/// value, once. Dropping a future does not stop the operation. Movable; use from one thread at a
/// time.
template <class T>
class [[nodiscard]] future {
 public:
  /// What the language asks of a function that gives a future and has a co_await in it. It runs at
  /// once, to its first wait; what it throws becomes the future's error.
  struct promise_type : detail::FuturePromiseBase<T> {
    ///@{
    /// Called by the compiler.
    future get_return_object() { return this->promise_.get_future(); }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void unhandled_exception() {
      try {
        throw;
      } catch (const capsa::error& e) {
        this->promise_.set(e);
      } catch (const std::exception& e) {
        this->promise_.set(
            capsa::error(ErrorCode::Internal, std::string("a coroutine threw: ") + e.what()));
      } catch (...) {
        this->promise_.set(capsa::error(ErrorCode::Internal, "a coroutine threw"));
      }
    }
    ///@}
  };

  /// Made by promise::get_future().
  explicit future(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  /// A future that has its value already.
  static future ready(capsa::result<T> value) {
    promise<T> p;
    p.set(std::move(value));
    return p.get_future();
  }

  /// Waits and gives the value; throws capsa::error where the operation failed. Do not call it
  /// inside a continuation for a future made by then(): both share one thread.
  T get() { return state_->take().value(); }

  /// Waits and gives value or error; throws nothing.
  capsa::result<T> result() { return state_->take(); }

  /// True once the value is there, false when `d` passed first. Takes nothing.
  bool wait_for(std::chrono::nanoseconds d) const { return state_->wait_for(d); }

  /// Calls `f(result<T>)` when the value is there and gives a future of what it returns (a value,
  /// a result, or nothing). `f` runs on a thread of the runtime that is made for callbacks: it may
  /// block, and then delays other callbacks, never a VM. Where the runtime was shut down before, it
  /// runs inside then().
  template <class F>
  auto then(F f) {
    using Out = decltype(detail::invoke_to_result(f, std::declval<capsa::result<T>>()));
    promise<typename Out::value_type> next(state_->post());
    auto out = next.get_future();
    state_->on_ready([f = std::move(f), next](capsa::result<T> value) mutable {
      next.set(detail::invoke_to_result(f, std::move(value)));
    });
    return out;
  }

  /// Awaiting gives the value or throws capsa::error. The coroutine goes on where then() would
  /// have called its function.
  auto operator co_await() && {
    struct Awaiter {
      std::shared_ptr<detail::FutureState<T>> state;
      std::optional<capsa::result<T>> value{};
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> h) {
        state->on_ready([this, h](capsa::result<T> v) {
          value.emplace(std::move(v));
          h.resume();
        });
      }
      T await_resume() { return std::move(*value).value(); }
    };
    return Awaiter{state_};
  }

 private:
  std::shared_ptr<detail::FutureState<T>> state_;
};

}  // namespace capsa
