#pragma once

#include <actors/facade/target.hpp>
#include <actors/protocol/internal.hpp>
#include <actors/runtime/runtime_impl.hpp>
#include <actors/vm/vm_plan.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>

namespace capsa::detail {

using facade::bounded;
using facade::Deadline;
using facade::kForever;
using facade::Target;
using std::chrono::nanoseconds;

/// What no operation of the machine itself takes unless something is wrong, even on a loaded host.
inline constexpr std::chrono::seconds kPatience{120};

/// The request's own deadline where the actor keeps the time-out, as the console does (its error
/// can tell the last lines) and a vsock port (who has given up takes nothing from those who come
/// later): only a net below it.
inline nanoseconds net_below(nanoseconds timeout) {
  return timeout > kLongestWait ? kForever : timeout + kPatience;
}

/// Behind VmHandle: the last one drops the VM.
class VmImpl {
 public:
  VmImpl(std::shared_ptr<RuntimeImpl> runtime, std::shared_ptr<const vm::VmPlan> plan,
         std::shared_ptr<vm::VmShared> shared, std::shared_ptr<Target> target)
      : runtime_(std::move(runtime)),
        plan_(std::move(plan)),
        shared_(std::move(shared)),
        target_(std::move(target)) {}
  ~VmImpl();
  VmImpl(const VmImpl&) = delete;
  VmImpl& operator=(const VmImpl&) = delete;

  const vm::VmPlan& plan() const noexcept { return *plan_; }
  const vm::VmShared& shared() const noexcept { return *shared_; }
  RuntimeImpl& runtime() const noexcept { return *runtime_; }
  Target& target() const noexcept { return *target_; }

  /// The bound of an operation that has none of its own: the VM's time-out, else `otherwise`. For
  /// an operation of several requests, make one Deadline of it.
  nanoseconds limit(nanoseconds otherwise = kForever) const {
    return plan_->config.timeout ? nanoseconds(*plan_->config.timeout) : otherwise;
  }
  /// The target for another actor of this VM; the same one until that actor ends, as it leaves
  /// something behind with the actor. Thread-safe.
  template <class Handle>
  std::shared_ptr<Target> target_of(const Handle& handle) const {
    return target_of(caf::actor_cast<caf::strong_actor_ptr>(handle));
  }

 private:
  std::shared_ptr<Target> target_of(const caf::strong_actor_ptr& actor) const;

  std::shared_ptr<RuntimeImpl> runtime_;
  std::shared_ptr<const vm::VmPlan> plan_;
  std::shared_ptr<vm::VmShared> shared_;
  std::shared_ptr<Target> target_;
  mutable std::mutex mutex_;  // guards units_
  mutable std::map<caf::actor_id, std::shared_ptr<Target>> units_;
};

/// Behind Console and its halves.
class ConsoleImpl {
 public:
  std::shared_ptr<VmImpl> vm;
  std::shared_ptr<Target> target;
};

/// Behind AgentClient: the agent of one boot.
class AgentImpl {
 public:
  std::shared_ptr<VmImpl> vm;
  std::shared_ptr<Target> target;
};

class ProcessImpl {
 public:
  std::shared_ptr<AgentImpl> agent;
  actors::StartedProcess started;
};

class VcpuImpl {
 public:
  std::shared_ptr<VmImpl> vm;
  std::shared_ptr<Target> target;
};

/// Reaches into handles for actors.hpp and for tests.
struct HandleAccess {
  template <class Handle>
  static const auto& impl(const Handle& handle) {
    return handle.impl_;
  }
};

/// Turns `future<A>` plus `f(A) -> B` into a future of B on the answering thread.
template <class B, class A, class F, class... Ts>
future<B> ask_map(Target& target, Deadline deadline, F f, Ts&&... xs) {
  promise<B> p(target.post());
  target.ask_then<A>(
      deadline,
      [p, f = std::move(f)](result<A> value) mutable {
        if (value.ok())
          p.set(f(std::move(*value)));
        else
          p.set(value.error());
      },
      std::forward<Ts>(xs)...);
  return p.get_future();
}

}  // namespace capsa::detail
