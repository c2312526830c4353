#pragma once

#include <actors/protocol/defaults.hpp>
#include <actors/protocol/errors.hpp>
#include <capsa/result.hpp>
#include <functional>
#include <memory>
#include <tuple>

namespace capsa::protocol {

/// An actor of interface `Handle` on the scheduler, whose behavior is a state class.
template <class Handle, class State>
class StateActor final : public Handle::base {
 public:
  using Super = typename Handle::base;
  using Factory = std::function<std::unique_ptr<State>(StateActor*)>;

  StateActor(caf::actor_config& config, Factory factory)
      : Super(config), factory_(std::move(factory)) {
    set_defaults(*this);
  }

  const char* name() const override { return State::name; }

  /// Answers what is pending before the state goes: a dropped promise never answers.
  void on_exit() override {
    if (state_) state_->on_exit();
    state_.reset();
    factory_ = nullptr;
  }

 protected:
  typename Super::behavior_type make_behavior() override {
    state_ = factory_(this);
    factory_ = nullptr;
    return state_->make_behavior();
  }

 private:
  Factory factory_;
  std::unique_ptr<State> state_;
};

/// Spawns an actor on the scheduler; `args` follow `self` in the constructor of `State` and are
/// moved on.
template <class Handle, class State, class... Args>
Handle spawn_state(caf::actor_system& system, Args... args) {
  using Impl = StateActor<Handle, State>;
  auto boxed = std::make_shared<std::tuple<Args...>>(std::move(args)...);
  typename Impl::Factory factory = [boxed](Impl* self) {
    return std::apply([&](Args&... xs) { return std::make_unique<State>(self, std::move(xs)...); },
                      *boxed);
  };
  return system.spawn<Impl>(std::move(factory));
}

/// Answers a promise with a value or an error.
template <class T>
void answer(caf::response_promise& promise, capsa::result<T> value) {
  if (!value.ok())
    promise.deliver(to_caf(value.error()));
  else if constexpr (std::is_void_v<T>)
    promise.deliver(caf::unit);
  else
    promise.deliver(std::move(*value));
}

/// Answers every promise of a list with one error; for on_exit().
template <class Promises>
void fail_all(Promises& promises, const caf::error& why) {
  for (auto& promise : promises)
    promise.deliver(why);
  promises.clear();
}

}  // namespace capsa::protocol
