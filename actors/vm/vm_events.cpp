#include <actors/protocol/spawn.hpp>
#include <actors/vm/vm.hpp>

namespace capsa::vm {

void VmState::set_status(VmStatus status, std::string cause) {
  status_ = std::move(status);
  shared_->set_status(status_);
  services_.log.write(LogLevel::Info, "vm", "vm.status", to_string(status_) + ": " + cause,
                      plan_->config.name);
  publish(VmEvent::Kind::StatusChanged, std::move(cause));
}

void VmState::publish(VmEvent::Kind kind, std::string cause) {
  if (subscribers_.empty()) return;
  VmEvent event;
  event.kind = kind;
  event.status = status_;
  event.cause = std::move(cause);
  event.time = std::chrono::system_clock::now();
  for (const auto& subscriber : subscribers_)
    caf::anon_send(subscriber, event);
}

void VmState::answer_waiters() {
  if (!status_.ended()) return;
  auto waiting = std::exchange(waiting_, {});
  for (auto& [waiter, promise] : waiting) {
    if (const auto* failed = status_.get_if<VmStatus::Failed>())
      promise.deliver(protocol::to_caf({ErrorCode::VmEnded, failed->message}));
    else
      promise.deliver(status_.get_if<VmStatus::Stopped>()->exit_code);
  }
}

}  // namespace capsa::vm
