#include <actors/facade/subscription.hpp>
#include <actors/protocol/defaults.hpp>
#include <actors/protocol/internal.hpp>

namespace capsa::detail {

template <class Event>
std::shared_ptr<SubscriptionImpl> SubscriptionImpl::make(
    const RuntimeImpl& runtime, const std::string& name, facade::Target& target,
    std::function<void(const Event&)> on_event) {
  auto dropped = std::make_shared<std::atomic<bool>>(false);
  auto shared = std::make_shared<const std::function<void(const Event&)>>(std::move(on_event));
  const auto spawned = runtime.add_listener(name + "'s subscription", [&] {
    return caf::actor_cast<caf::strong_actor_ptr>(target.system().spawn(
        [shared, dropped, post = target.post()](caf::event_based_actor* self) {
          protocol::set_defaults(*self);
          return caf::behavior{[shared, dropped, post](const Event& event) {
            post([shared, dropped, event] {
              if (!*dropped) (*shared)(event);
            });
          }};
        }));
  });
  auto listener = caf::actor_cast<caf::actor>(spawned);
  if (listener) {
    target.tell(actors::subscribe_atom_v, listener);
    // The listener ends with what it listens to, behind the last event: nothing else is going to
    // happen to it.
    target.actor()->get()->attach_functor(
        [weak = caf::actor_addr(listener.address())](const caf::error&) {
          if (auto alive = caf::actor_cast<caf::actor>(weak))
            caf::anon_send_exit(alive, caf::exit_reason::user_shutdown);
        });
  }
  return std::shared_ptr<SubscriptionImpl>(
      new SubscriptionImpl(std::move(dropped), std::move(listener)));
}

template std::shared_ptr<SubscriptionImpl> SubscriptionImpl::make(
    const RuntimeImpl&, const std::string&, facade::Target&, std::function<void(const VmEvent&)>);
template std::shared_ptr<SubscriptionImpl> SubscriptionImpl::make(
    const RuntimeImpl&, const std::string&, facade::Target&, std::function<void(const PoolEvent&)>);

SubscriptionImpl::SubscriptionImpl(Dropped dropped, caf::actor listener)
    : dropped_(std::move(dropped)), listener_(std::move(listener)) {}

SubscriptionImpl::~SubscriptionImpl() {
  *dropped_ = true;
  caf::anon_send_exit(listener_, caf::exit_reason::user_shutdown);
}

}  // namespace capsa::detail
