#include <actors/facade/subscription.hpp>
#include <actors/protocol/defaults.hpp>
#include <actors/protocol/internal.hpp>

#include <atomic>

namespace capsa::detail {

struct SubscriptionImpl::Shared {
  std::function<void(const VmEvent&)> on_event;
  std::atomic<bool> dropped{false};
};

std::shared_ptr<SubscriptionImpl> SubscriptionImpl::make(
    const RuntimeImpl& runtime, const std::string& name, facade::Target& vm,
    std::function<void(const VmEvent&)> on_event) {
  auto shared = std::make_shared<Shared>();
  shared->on_event = std::move(on_event);
  const auto spawned = runtime.add_listener(name + "'s subscription", [&] {
    return caf::actor_cast<caf::strong_actor_ptr>(
        vm.system().spawn([shared, post = vm.post()](caf::event_based_actor* self) {
          protocol::set_defaults(*self);
          return caf::behavior{[shared, post](const VmEvent& event) {
            post([shared, event] {
              if (!shared->dropped) shared->on_event(event);
            });
          }};
        }));
  });
  auto listener = caf::actor_cast<caf::actor>(spawned);
  if (listener) {
    vm.tell(actors::subscribe_atom_v, listener);
    // The listener ends with the VM, behind the last event: nothing else is going to happen to it.
    vm.actor()->get()->attach_functor(
        [weak = caf::actor_addr(listener.address())](const caf::error&) {
          if (auto alive = caf::actor_cast<caf::actor>(weak))
            caf::anon_send_exit(alive, caf::exit_reason::user_shutdown);
        });
  }
  return std::shared_ptr<SubscriptionImpl>(
      new SubscriptionImpl(std::move(shared), std::move(listener)));
}

SubscriptionImpl::SubscriptionImpl(std::shared_ptr<Shared> shared, caf::actor listener)
    : shared_(std::move(shared)), listener_(std::move(listener)) {}

SubscriptionImpl::~SubscriptionImpl() {
  shared_->dropped = true;
  caf::anon_send_exit(listener_, caf::exit_reason::user_shutdown);
}

}  // namespace capsa::detail
