#include <actors/console/console.hpp>
#include <actors/loop/loop_actor.hpp>
#include <actors/network/clusters.hpp>
#include <actors/protocol/spawn.hpp>
#include <actors/vcpu/vcpu.hpp>
#include <actors/vm/vm.hpp>

namespace capsa::vm {

namespace {

// A port or link that fails is made anew; one that keeps failing has a cause that a restart does
// not mend.
constexpr unsigned kRestarts = 5;

// Under emulation, with many machines on few cores, a guest may take a minute to say hello.
constexpr auto kAgentDeadline = std::chrono::minutes(3);

}  // namespace

VmState::VmState(Self self, Services& services, std::shared_ptr<const VmPlan> plan,
                 std::shared_ptr<VmShared> shared)
    : self_(self),
      services_(services),
      plan_(std::move(plan)),
      shared_(std::move(shared)),
      loop_(services.next_loop()) {
  if (plan_->config.console)
    console_ =
        loop::spawn_on<protocol::ConsoleUnit, console::ConsoleState>(services_.system, loop_);
  self_->set_down_handler([this](const caf::down_msg& down) { on_down(down); });
}

VmState::~VmState() = default;

void VmState::on_exit() {
  keep_ = nullptr;
  leave_cluster();
  units_.for_each([](const caf::strong_actor_ptr& unit) { protocol::kill_now(unit); });
  protocol::kill_now(console_);
  const auto why = protocol::to_caf({ErrorCode::RuntimeShutdown, "the VM's actor has ended"});
  if (starting_.pending()) starting_.deliver(why);
  protocol::fail_all(stopping_, why);
  for (auto& [waiter, promise] : waiting_)
    promise.deliver(why);
  protocol::fail_all(waiting_main_, why);
  protocol::fail_all(waiting_ready_, why);
  for (const auto& promise : owed_)
    if (promise->pending()) promise->deliver(why);
  if (!status_.ended()) shared_->set_status(VmStatus::stopped(std::nullopt));
  subscribers_.clear();
  services_.runtime_dir.remove_vm_dir(plan_->id);
}

std::shared_ptr<caf::response_promise> VmState::owe() {
  std::erase_if(owed_, [](const auto& one) { return !one->pending(); });
  auto promise = std::make_shared<caf::response_promise>(self_->make_response_promise());
  owed_.push_back(promise);
  return promise;
}

caf::error VmState::not_running() const {
  return protocol::to_caf({ErrorCode::NotRunning,
                           "VM \"" + plan_->config.name + "\" is " +
                               (active() && tearing_down_ ? "ending" : to_string(status_)),
                           "call start() first"});
}

caf::result<void> VmState::start() {
  if (active())
    return protocol::to_caf({ErrorCode::AlreadyRunning,
                             "VM \"" + plan_->config.name + "\" is " + to_string(status_),
                             "stop() it first"});
  ++boot_;
  units_ = {};
  alive_.clear();
  tearing_down_ = agent_ready_ = stop_requested_ = guest_told_ = false;
  setup_begun_ = set_up_ = false;
  restarts_ = 0;
  failure_.reset();
  report_.reset();
  kernel_log_.clear();
  exit_code_.reset();
  main_failure_.reset();
  main_signalled_ = false;
  start_failure_.reset();
  main_.reset();
  main_link_ = nullptr;
  keep_ = caf::actor_cast<caf::strong_actor_ptr>(self_);
  starting_ = self_->make_response_promise();
  auto promise = starting_;
  set_status(VmStatus::starting(), "start was asked for");

  const auto made = make_units(units_, services_, loop_, *plan_, *shared_, self_, console_);
  units_.for_each([this](const caf::strong_actor_ptr& unit) {
    alive_.insert(unit->address());
    self_->monitor(unit);
  });
  if (!made.ok()) {
    start_failure_ = protocol::to_caf(made.error());
    fail(made.error().message());
    return promise;
  }
  // An image may take a process and a connection to open, and a port may be in use: the machine
  // waits for the last of them.
  units_pending_ =
      units_.disks.size() + (units_.image ? 1 : 0) + (units_.nat ? 1 : 0) + (units_.uplink ? 1 : 0);
  if (units_pending_ == 0) boot_machine();
  const auto wait_for = [this](const auto& unit, const auto&... question) {
    self_->request(unit, caf::infinite, question...)
        .then(
            [this, boot = boot_] {
              if (boot == boot_ && --units_pending_ == 0 && !tearing_down_) boot_machine();
            },
            [this](const caf::error& why) { on_boot_failed(why); });
  };
  for (const auto& disk : units_.disks)
    wait_for(disk, actors::ready_atom_v);
  if (units_.image) wait_for(units_.image, actors::ready_atom_v);
  if (units_.shared_network)
    wait_for(units_.nat, protocol::enroll_atom_v, units_.station);
  else if (units_.nat)
    wait_for(units_.nat, actors::ready_atom_v);
  if (units_.uplink) wait_for(units_.uplink, actors::ready_atom_v);
  if (plan_->sandbox && units_.link) {
    // on_agent_ready() goes on; this is for an agent with which there is no speaking.
    self_->request(units_.link, caf::infinite, actors::ready_atom_v)
        .then([] {},
              [this](const caf::error& why) {
                fail_main(plan_->runs_command() ? "the command did not start: "
                                                : "the guest was not set up: ",
                          protocol::from_caf(why));
              });
    self_->delayed_send(self_, kAgentDeadline, protocol::deadline_atom_v, boot_);
  }
  return promise;
}

void VmState::boot_machine() {
  self_->request(units_.machine, caf::infinite, protocol::boot_atom_v)
      .then([this](const protocol::VcpuInfos& vcpus) { on_running(vcpus); },
            [this](const caf::error& why) { on_boot_failed(why); });
}

void VmState::on_boot_failed(const caf::error& why) {
  const auto e = protocol::from_caf(why);
  // Ended by us before it ran, as somebody asked for it or a device failed: finish() tells of that.
  if (stop_requested_ || dropped_ || (failure_ && e.code() == ErrorCode::VmEnded))
    return tear_down();
  // Told when nothing is left of the attempt: whoever hears of it may start again.
  if (!start_failure_) start_failure_ = why;
  fail(e.message());
}

void VmState::on_running(const protocol::VcpuInfos& vcpus) {
  if (tearing_down_) return;
  for (const auto& info : *vcpus.value) {
    auto vcpu = protocol::spawn_state<actors::VcpuActor, vcpu::VcpuState>(
        services_.system, units_.machine, std::uint32_t{info.index});
    alive_.insert(vcpu.address());
    self_->monitor(vcpu);
    units_.vcpus.push_back(std::move(vcpu));
  }
  running_since_ = std::chrono::steady_clock::now();
  ++services_.counters.boots;
  if (status_.is<VmStatus::Starting>()) set_status(VmStatus::running(), "the machine runs");
  if (starting_.pending()) starting_.deliver(caf::unit);
  answer_ready();
}

caf::result<void> VmState::stop(caf::timespan grace) {
  if (status_.is<VmStatus::Created>()) return not_running();
  if (status_.ended()) return {};
  auto promise = self_->make_response_promise();
  stopping_.push_back(promise);
  if (stop_requested_) return promise;
  stop_requested_ = true;
  set_status(VmStatus::stopping(), "stop was asked for");
  ask_guest_to_stop();
  self_->delayed_send(self_, grace, protocol::grace_atom_v, boot_);
  return promise;
}

caf::result<void> VmState::kill() {
  if (!active()) return {};
  auto promise = self_->make_response_promise();
  stopping_.push_back(promise);
  stop_requested_ = true;
  if (!status_.is<VmStatus::Stopping>()) set_status(VmStatus::stopping(), "kill was asked for");
  kill_machine();
  return promise;
}

void VmState::kill_machine() {
  if (!units_.machine) return tear_down();
  self_->send<caf::message_priority::high>(units_.machine, actors::kill_atom_v);
}

void VmState::on_ended(const protocol::EndBox& report) {
  report_ = *report.value;
  kernel_log_ = report_->kernel_log;
  tear_down();
}

void VmState::fail(std::string why) {
  if (!failure_) failure_ = std::move(why);
  tear_down();
}

void VmState::tear_down() {
  if (std::exchange(tearing_down_, true)) return;
  leave_cluster();
  if (console_)
    self_->send(console_, protocol::detach_atom_v, "VM \"" + plan_->config.name + "\" has ended");
  units_.for_each([](const caf::strong_actor_ptr& unit) { protocol::kill_now(unit); });
  if (alive_.empty()) finish();
}

void VmState::leave_cluster() {
  if (const auto* place = plan_->config.network.get_if<ClusterMembership>())
    if (units_.shared_network) services_.clusters().leave(place->cluster, units_.card_port);
}

void VmState::on_down(const caf::down_msg& down) {
  if (alive_.erase(down.source) == 0) {
    std::erase_if(subscribers_, [&](const caf::actor& s) { return s.address() == down.source; });
    return;
  }
  if (tearing_down_) {
    if (alive_.empty()) finish();
    return;
  }
  if (units_.machine.address() == down.source) {
    // Its report, if it had one, came before: messages of one sender keep their order.
    fail("the machine's actor ended: " + protocol::from_caf(down.reason).message());
    return;
  }
  restart(down.source, down.reason);
}

void VmState::restart(const caf::actor_addr& who, const caf::error& why) {
  for (auto& [number, port] : units_.ports) {
    if (port.address() != who || ++restarts_ > kRestarts) continue;
    const auto config =
        std::find_if(plan_->config.vsock_ports.begin(), plan_->config.vsock_ports.end(),
                     [n = number](const VsockPortConfig& one) { return one.port == n; });
    auto fresh = make_port(services_, loop_, units_.vsock, *config);
    if (!fresh.ok()) break;
    port = std::move(*fresh);
    alive_.insert(port.address());
    self_->monitor(port);
    services_.log.write(
        LogLevel::Warning, "vm", "vm.port_restarted",
        "vsock port " + std::to_string(number) + ": " + protocol::from_caf(why).message(),
        plan_->config.name);
    return;
  }
  for (const auto& share : units_.shares)
    if (share.address() == who) publish(VmEvent::Kind::ShareFailed, protocol::from_caf(why).what());
  // A device that fails takes its VM with it: the guest cannot do without.
  failure_ = "a device of the VM failed: " + protocol::from_caf(why).message();
  kill_machine();
}

protocol::VmUnit::behavior_type VmState::make_behavior() {
  using namespace protocol;
  return {
      // -- the VM's interface
      [this](start_atom) { return start(); },
      [this](stop_atom, caf::timespan grace) { return stop(grace); },
      [this](kill_atom) { return kill(); },
      [this](pause_atom) { return set_paused(true); },
      [this](resume_atom) { return set_paused(false); },
      [this](status_atom) { return status_; },
      [this](wait_atom) { return wait_for_end(std::nullopt); },
      [this](wait_atom, caf::timespan longest) { return wait_for_end(longest); },
      [this](subscribe_atom, caf::actor& subscriber) {
        self_->monitor(subscriber);
        subscribers_.insert(std::move(subscriber));
      },
      [this](console_atom) { return console(); },
      [this](resize_atom, const PtySize& size) { return resize_console(size); },
      [this](klog_atom) { return kernel_log(); },
      [this](stats_atom) { return stats(); },
      [this](agent_atom) { return agent(); },
      [this](main_atom) { return main_process(); },
      [this](vcpus_atom) -> caf::result<std::vector<VcpuActor>> {
        if (!up() || units_.vcpus.empty()) return not_running();
        return units_.vcpus;
      },
      [this](shares_atom) -> caf::result<std::vector<ShareActor>> {
        if (!up()) return not_running();
        return units_.shares;
      },
      [this](disks_atom) -> caf::result<std::vector<DiskActor>> {
        if (!up()) return not_running();
        return std::vector<DiskActor>(units_.disks.begin(), units_.disks.end());
      },
      [this](network_atom) { return network(); },
      [this](vsock_atom, std::uint32_t port) { return vsock_port(port); },
      // -- its units
      [this](ended_atom, const EndBox& report) { on_ended(report); },
      [this](ready_atom) { on_agent_ready(); },
      [this](ready_atom, wait_atom) { return wait_until_ready(); },
      [this](lost_atom, const std::string& why) { on_agent_lost(why); },
      [this](lost_atom, std::uint64_t boot) {
        if (boot == boot_ && active()) give_up_main();
      },
      [this](button_atom, std::uint64_t boot) {
        if (boot == boot_ && status_.is<VmStatus::Stopping>() && !guest_told_) press_power_button();
      },
      [this](deadline_atom, wait_atom, std::uint64_t waiter) { give_up_waiting(waiter); },
      [this](grace_atom, std::uint64_t boot) {
        if (boot == boot_ && active()) kill_machine();
      },
      [this](deadline_atom, std::uint64_t boot) {
        if (boot != boot_ || agent_ready_ || set_up_ || !up() || stop_requested_) return;
        failure_ = "the guest's agent did not answer within three minutes";
        kill_machine();
      },
      [this](flow_atom, const VmEvent& event) {
        services_.log.write(
            LogLevel::Info, "network",
            event.kind == VmEvent::Kind::NetworkDenied ? "network.denied" : "network.logged",
            event.cause, plan_->config.name);
        publish(event.kind, event.cause);
      },
      [this](scrape_atom) { return scrape(); },
      [this](drop_atom) {
        dropped_ = true;
        if (active())
          kill_machine();
        else
          self_->quit();
      },
  };
}

}  // namespace capsa::vm
