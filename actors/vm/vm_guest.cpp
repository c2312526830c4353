#include <actors/protocol/spawn.hpp>
#include <actors/vm/vm.hpp>

#include <cctype>

namespace capsa::vm {

namespace {

// The agent's connection breaks before the end of the machine is known here, by far less than this.
constexpr auto kReportPatience = std::chrono::seconds(2);

// A guest whose driver for the button is not there yet does not hear it.
constexpr auto kPressAgain = std::chrono::seconds(3);

/// A host name (hostname(7)) made of the VM's name.
std::string host_name(const std::string& name) {
  std::string out;
  for (const char c : name)
    out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return out.substr(0, 63);
}

}  // namespace

void VmState::on_agent_ready() {
  if (tearing_down_) return;
  const bool first = !std::exchange(agent_ready_, true);
  if (first) publish(VmEvent::Kind::AgentReady, "the guest's agent said hello");
  if (status_.is<VmStatus::Stopping>())
    ask_guest_to_stop();
  else if (plan_->sandbox && !std::exchange(setup_begun_, true))
    set_up_root();
  answer_ready();
}

void VmState::on_agent_lost(const std::string& why) {
  agent_ready_ = false;
  if (tearing_down_) return;
  if (!status_.is<VmStatus::Stopping>()) return publish(VmEvent::Kind::AgentLost, why);
  // That the agent of a guest that powers off goes away is no event.
  if (!guest_told_) press_power_button();
}

void VmState::ask_guest_to_stop() {
  if (agent_ready_ && signal_main_to_stop()) return;  // on_main_ended() goes on
  if (!agent_ready_) return press_power_button();
  // Whatever comes of it, the grace is what decides.
  self_->request(units_.link, caf::infinite, actors::shutdown_atom_v)
      .then([this] { guest_told_ = true; }, [this](const caf::error&) { press_power_button(); });
}

void VmState::press_power_button() {
  if (tearing_down_) return;
  self_->request(units_.machine, caf::infinite, protocol::button_atom_v)
      .then([this] { self_->delayed_send(self_, kPressAgain, protocol::button_atom_v, boot_); },
            [this](const caf::error&) {
              // No button, and no agent that may still come: waiting would change nothing.
              if (!plan_->config.agent) kill_machine();
            });
}

void VmState::set_up_guest() {
  SetupSpec setup;
  setup.hostname = host_name(plan_->config.name);
  for (std::size_t i = 0; i < plan_->config.shares.size(); ++i) {
    const auto& share = plan_->config.shares[i];
    MountSpec mount;
    mount.source = share_tag(*plan_, i);
    mount.target = share.target;
    mount.read_only = share.mode == MountMode::ReadOnly;
    setup.mounts.push_back(std::move(mount));
  }
  if (units_.interface) {
    setup.interfaces.push_back(*units_.interface);
    setup.resolvers.push_back(units_.resolver);
  }
  self_->request(units_.link, caf::infinite, protocol::setup_atom_v, protocol::box(setup))
      .then([this] { make_directories(0); },
            [this](const caf::error& why) {
              fail_main("preparing the guest: ", protocol::from_caf(why));
            });
}

void VmState::on_set_up() {
  set_up_ = true;
  if (plan_->runs_command()) return start_main();
  answer_ready();
}

void VmState::start_main() {
  ExecSpec exec = plan_->sandbox->exec;
  if (!plan_->sandbox->output) exec.terminal = "/dev/hvc0";
  self_
      ->request(units_.link, caf::infinite, actors::start_atom_v, std::move(exec),
                plan_->sandbox->output.value_or(OutputHandlers{}))
      .then(
          [this](const actors::StartedProcess& process) {
            main_ = process;
            main_link_ = units_.link;
            for (auto& promise : waiting_main_)
              promise.deliver(process);
            waiting_main_.clear();
            answer_ready();
            self_->request(units_.link, caf::infinite, actors::wait_atom_v, process.id)
                .then([this](const ExitStatus& status) { on_main_ended(status); },
                      [this](const caf::error& why) {
                        fail_main("the command's status is lost: ", protocol::from_caf(why));
                      });
          },
          [this](const caf::error& why) {
            fail_main("the command did not start: ", protocol::from_caf(why));
          });
}

void VmState::fail_main(const std::string& doing, const capsa::error& why) {
  // Whoever ends a VM ends the command with it: that is what was asked for.
  if (stop_requested_ || dropped_ || tearing_down_) return;
  main_failure_.emplace(why.code(), doing + why.message(), why.hint(), why.guest_errno());
  const auto code = why.code();
  const bool broke = code == ErrorCode::ConnectionClosed || code == ErrorCode::AgentUnavailable ||
                     code == ErrorCode::VmEnded;
  if (!broke) return give_up_main();
  // May be the first that is seen of a machine that has ended. What it says of its end, a panic or
  // QEMU's own words, tells more, and comes in a moment.
  self_->delayed_send(self_, kReportPatience, protocol::lost_atom_v, boot_);
}

void VmState::give_up_main() {
  if (stop_requested_ || dropped_ || tearing_down_) return;
  if (!failure_) failure_ = main_failure_->message();
  protocol::fail_all(waiting_main_, protocol::to_caf(*main_failure_));
  kill_machine();
}

void VmState::on_main_ended(const ExitStatus& status) {
  exit_code_ = status.shell_status();
  if (tearing_down_) return;
  if (status_.is<VmStatus::Stopping>()) {
    // Ended by the signal that its image wants; a guest that was asked itself is on its way.
    if (main_signalled_) ask_guest_to_stop();
    return;
  }
  set_status(VmStatus::stopping(), "the command ended with status " + std::to_string(*exit_code_));
  ask_guest_to_stop();
  self_->delayed_send(self_, std::chrono::seconds(30), protocol::grace_atom_v, boot_);
}

}  // namespace capsa::vm
