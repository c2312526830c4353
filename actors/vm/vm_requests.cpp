#include <actors/protocol/spawn.hpp>
#include <actors/vm/vm.hpp>

namespace capsa::vm {

caf::result<void> VmState::set_paused(bool paused) {
  if (!status_.is<VmStatus::Running>() || !up()) return not_running();
  const auto promise = owe();
  const auto done = [this, promise, paused] {
    publish(paused ? VmEvent::Kind::Paused : VmEvent::Kind::Resumed,
            paused ? "pause was asked for" : "resume was asked for");
    // The guest's clock stood still; a ping tells it the time.
    if (!paused && units_.link) caf::anon_send(units_.link, actors::ping_atom_v);
    promise->deliver(caf::unit);
  };
  const auto failed = [promise](const caf::error& why) { promise->deliver(why); };
  const auto& machine = units_.machine;
  if (paused)
    self_->request(machine, caf::infinite, actors::pause_atom_v, protocol::kWholeVm)
        .then(done, failed);
  else
    self_->request(machine, caf::infinite, actors::resume_atom_v, protocol::kWholeVm)
        .then(done, failed);
  return *promise;
}

caf::result<std::string> VmState::kernel_log() {
  if (!up() || !units_.machine) return kernel_log_;
  const auto promise = owe();
  self_->request(units_.machine, caf::infinite, actors::klog_atom_v)
      .then([promise](std::string& log) { promise->deliver(std::move(log)); },
            // The machine has ended just now. Its report came first.
            [this, promise](const caf::error&) { promise->deliver(kernel_log_); });
  return *promise;
}

caf::result<actors::VmNetworkActors> VmState::network() {
  if (plan_->config.network.is<NetworkMode::None>())
    return protocol::to_caf({ErrorCode::NotFound,
                             "VM \"" + plan_->config.name + "\" was built without a network",
                             "add network() to its builder"});
  if (!up() || !units_.card) return not_running();
  return actors::VmNetworkActors{actors::NetSwitchActor(units_.net_switch), units_.card_port,
                                 actors::NatActor(units_.nat)};
}

caf::result<actors::ConsoleActor> VmState::console() {
  if (!console_)
    return protocol::to_caf({ErrorCode::ConsoleDisabled,
                             "VM \"" + plan_->config.name + "\" was built without a console",
                             "add console_enabled() to its builder"});
  return actors::ConsoleActor(console_);
}

caf::result<void> VmState::resize_console(const PtySize& size) {
  if (size.rows == 0 || size.cols == 0)
    return protocol::to_caf({ErrorCode::InvalidConfig, "a terminal of no size",
                             "give it one line and one column at least"});
  if (!up()) return not_running();
  return self_->delegate(units_.machine, actors::resize_atom_v, size);
}

caf::result<actors::AgentActor> VmState::agent() {
  if (!plan_->config.agent)
    return protocol::to_caf({ErrorCode::AgentUnavailable,
                             "VM \"" + plan_->config.name + "\" was built without an agent",
                             "add agent_enabled() to its builder and boot a guest that has one"});
  if (up() && units_.link) return actors::AgentActor(units_.link);
  // How a command ended is told at any time, and it is this link that it is known by.
  if (main_link_) return actors::AgentActor(main_link_);
  return not_running();
}

caf::result<actors::StartedProcess> VmState::main_process() {
  if (!plan_->runs_command())
    return protocol::to_caf(
        {ErrorCode::InvalidConfig,
         "VM \"" + plan_->config.name + "\" " +
             (plan_->sandbox ? "runs no command" : "is no sandbox and has no command")});
  if (main_) return *main_;
  if (main_failure_) return protocol::to_caf(*main_failure_);
  if (!active()) return not_running();
  auto promise = self_->make_response_promise();
  waiting_main_.push_back(promise);
  return promise;
}

caf::result<actors::VsockPortActor> VmState::vsock_port(std::uint32_t port) {
  if (!up()) return not_running();
  const auto it = units_.ports.find(port);
  if (it == units_.ports.end())
    return protocol::to_caf({ErrorCode::NotFound,
                             "vsock port " + std::to_string(port) + " is not configured",
                             "add vsock_listen() or vsock_connect() to the VM's builder"});
  return actors::VsockPortActor(it->second);
}

/// Nothing stays of whoever waits for a while, again and again.
caf::result<std::optional<int>> VmState::wait_for_end(std::optional<caf::timespan> longest) {
  auto promise = self_->make_response_promise();
  const auto waiter = next_waiter_++;
  waiting_.emplace(waiter, promise);
  answer_waiters();
  if (longest && !status_.ended())
    self_->delayed_send(self_, *longest, protocol::deadline_atom_v, actors::wait_atom_v, waiter);
  return promise;
}

void VmState::give_up_waiting(std::uint64_t waiter) {
  auto waiting = waiting_.extract(waiter);
  if (waiting.empty()) return;
  waiting.mapped().deliver(protocol::to_caf(
      {ErrorCode::Timeout, "VM \"" + plan_->config.name + "\" is " + to_string(status_)}));
}

caf::result<void> VmState::wait_until_ready() {
  if (main_failure_) return protocol::to_caf(*main_failure_);
  if (const auto* failed = status_.get_if<VmStatus::Failed>())
    return protocol::to_caf({ErrorCode::VmEnded, failed->message});
  if (!active()) return not_running();
  auto promise = self_->make_response_promise();
  waiting_ready_.push_back(promise);
  answer_ready();
  return promise;
}

void VmState::answer_ready() {
  if (!status_.is<VmStatus::Running>() || tearing_down_) return;
  if (plan_->sandbox ? !set_up_ : plan_->config.agent && !agent_ready_) return;
  if (plan_->runs_command() && !main_) return;
  for (auto& promise : waiting_ready_)
    promise.deliver(caf::unit);
  waiting_ready_.clear();
}

}  // namespace capsa::vm
