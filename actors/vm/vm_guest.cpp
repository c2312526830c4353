#include <actors/protocol/spawn.hpp>
#include <actors/vm/vm.hpp>

#include <cctype>

namespace capsa::vm {

namespace {

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
  else if (plan_->sandbox && !main_ && !main_failure_)
    set_up_guest();
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
  self_->request(units_.link, caf::infinite, protocol::setup_atom_v, protocol::box(setup))
      .then([this] { start_main(); },
            [this](const caf::error& why) {
              const auto e = protocol::from_caf(why);
              main_failure_ = capsa::error(e.code(), "preparing the guest: " + e.message(),
                                           e.hint(), e.guest_errno());
              failure_ = main_failure_->message();
              kill_machine();
            });
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
            for (auto& promise : waiting_main_)
              promise.deliver(process);
            waiting_main_.clear();
            self_->request(units_.link, caf::infinite, actors::wait_atom_v, process.id)
                .then([this](const ExitStatus& status) { on_main_ended(status); },
                      [this](const caf::error& why) {
                        // The agent went away with the command's status; the VM's end tells more.
                        if (stop_requested_ || tearing_down_) return;
                        failure_ =
                            "the command's status is lost: " + protocol::from_caf(why).message();
                        kill_machine();
                      });
          },
          [this](const caf::error& why) {
            main_failure_ = protocol::from_caf(why);
            for (auto& promise : waiting_main_)
              promise.deliver(why);
            waiting_main_.clear();
            failure_ = "the command did not start: " + main_failure_->message();
            kill_machine();
          });
}

void VmState::on_main_ended(const ExitStatus& status) {
  exit_code_ = status.shell_status();
  if (tearing_down_ || status_.is<VmStatus::Stopping>()) return;
  set_status(VmStatus::stopping(), "the command ended with status " + std::to_string(*exit_code_));
  ask_guest_to_stop();
  self_->delayed_send(self_, std::chrono::seconds(30), protocol::grace_atom_v, boot_);
}

}  // namespace capsa::vm
