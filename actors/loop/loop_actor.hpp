#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/protocol/defaults.hpp>
#include <functional>
#include <memory>

namespace capsa::loop {

/// An actor of interface `Handle` that lives on a loop. Its state is made and destroyed on the
/// loop's thread, so it may watch fds and hold devices.
template <class Handle, class State>
class LoopActor final : public Handle::base {
 public:
  using Super = typename Handle::base;
  using Factory = std::function<std::unique_ptr<State>(LoopActor*, EpollLoop&)>;

  LoopActor(caf::actor_config& config, EpollLoop& loop, Factory factory)
      : Super(config), loop_(loop), factory_(std::move(factory)) {
    protocol::set_defaults(*this);
  }

  using Super::enqueue;
  void enqueue(caf::mailbox_element_ptr element, caf::execution_unit*) override {
    caf::scheduled_actor::enqueue(std::move(element), &loop_);
  }
  void launch(caf::execution_unit*, bool lazy, bool hide) override {
    Super::launch(&loop_, lazy, hide);
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
    state_ = factory_(this, loop_);
    factory_ = nullptr;
    return state_->make_behavior();
  }

 private:
  EpollLoop& loop_;
  Factory factory_;
  std::unique_ptr<State> state_;
};

/// Spawns an actor of interface `Handle` on a loop; `args` follow `self` and the loop in the
/// constructor of `State`, and are moved on.
template <class Handle, class State, class... Args>
Handle spawn_on(caf::actor_system& system, EpollLoop& loop, Args... args) {
  using Impl = LoopActor<Handle, State>;
  auto boxed = std::make_shared<std::tuple<Args...>>(std::move(args)...);
  typename Impl::Factory factory = [boxed](Impl* self, EpollLoop& where) {
    return std::apply(
        [&](Args&... xs) { return std::make_unique<State>(self, where, std::move(xs)...); },
        *boxed);
  };
  return system.spawn<Impl>(std::ref(loop), std::move(factory));
}

}  // namespace capsa::loop
