#pragma once

#include <actors/facade/target.hpp>
#include <actors/runtime/runtime_impl.hpp>
#include <atomic>
#include <capsa/pool.hpp>
#include <capsa/status.hpp>
#include <functional>
#include <memory>
#include <string>

namespace capsa::detail {

/// An actor that hands the events of a VM or a pool to a function on the callback thread, until it
/// is dropped.
class SubscriptionImpl {
 public:
  /// `name` is the VM's or the pool's. Once the runtime is being shut down there is nothing to be
  /// heard any more.
  template <class Event>
  static std::shared_ptr<SubscriptionImpl> make(const RuntimeImpl& runtime, const std::string& name,
                                                facade::Target& target,
                                                std::function<void(const Event&)> on_event);
  ~SubscriptionImpl();
  SubscriptionImpl(const SubscriptionImpl&) = delete;
  SubscriptionImpl& operator=(const SubscriptionImpl&) = delete;

 private:
  using Dropped = std::shared_ptr<std::atomic<bool>>;
  SubscriptionImpl(Dropped dropped, caf::actor listener);

  Dropped dropped_;
  caf::actor listener_;
};

extern template std::shared_ptr<SubscriptionImpl> SubscriptionImpl::make(
    const RuntimeImpl&, const std::string&, facade::Target&, std::function<void(const VmEvent&)>);
extern template std::shared_ptr<SubscriptionImpl> SubscriptionImpl::make(
    const RuntimeImpl&, const std::string&, facade::Target&, std::function<void(const PoolEvent&)>);

}  // namespace capsa::detail
