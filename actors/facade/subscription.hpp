#pragma once

#include <actors/facade/target.hpp>
#include <actors/runtime/runtime_impl.hpp>
#include <capsa/status.hpp>
#include <functional>
#include <memory>
#include <string>

namespace capsa::detail {

/// An actor that hands a VM's events to a function on the callback thread, until it is dropped.
class SubscriptionImpl {
 public:
  /// `name` is the VM's. Once the runtime is being shut down there is nothing to be heard any more.
  static std::shared_ptr<SubscriptionImpl> make(const RuntimeImpl& runtime, const std::string& name,
                                                facade::Target& vm,
                                                std::function<void(const VmEvent&)> on_event);
  ~SubscriptionImpl();
  SubscriptionImpl(const SubscriptionImpl&) = delete;
  SubscriptionImpl& operator=(const SubscriptionImpl&) = delete;

 private:
  struct Shared;
  SubscriptionImpl(std::shared_ptr<Shared> shared, caf::actor listener);

  std::shared_ptr<Shared> shared_;
  caf::actor listener_;
};

}  // namespace capsa::detail
