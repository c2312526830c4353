#include <actors/protocol/spawn.hpp>
#include <actors/vm/vm.hpp>

namespace capsa::vm {

bool VmState::machine_failed() const {
  return report_ && (report_->panicked || report_->end.cause == hypervisor::EndCause::Failed ||
                     report_->end.cause == hypervisor::EndCause::TripleFault);
}

VmStatus VmState::final_status() const {
  const auto with_log = [this](std::string text) {
    const auto from = kernel_log_.size() > 1000 ? kernel_log_.size() - 1000 : 0;
    if (!kernel_log_.empty()) text += "; the kernel's last lines: " + kernel_log_.substr(from);
    return VmStatus::failed(std::move(text));
  };
  using hypervisor::EndCause;
  // The machine's own words first: what else failed did so because of it, or tells less.
  if (machine_failed()) {
    std::string why = report_->panicked ? "the guest's kernel panicked" : report_->end.message;
    if (failure_ && why.find(*failure_) == std::string::npos) why += "; " + *failure_;
    return with_log(std::move(why));
  }
  if (failure_) return with_log(*failure_);
  if (!report_) return VmStatus::stopped(std::nullopt);
  switch (report_->end.cause) {
    case EndCause::Killed:
      return VmStatus::stopped(exit_code_);  // a command that had ended keeps its status
    case EndCause::Failed:
    case EndCause::PowerOff:
    case EndCause::Reset:
    case EndCause::Panic:
    case EndCause::TripleFault:
    case EndCause::Halted:
      break;
  }
  if (exit_code_) return VmStatus::stopped(exit_code_);
  if (plan_->runs_command() && !stop_requested_)
    return with_log("the guest ended before its command did");
  return VmStatus::stopped(0);
}

void VmState::finish() {
  const auto last = final_status();
  units_ = {};
  agent_ready_ = false;
  services_.runtime_dir.remove_vm_dir(plan_->id);
  const auto* failed = last.get_if<VmStatus::Failed>();
  if (failed != nullptr) ++services_.counters.failures;
  const bool told = report_ && !report_->end.message.empty();
  set_status(last, failed != nullptr ? failed->message
                   : told            ? report_->end.message
                                     : "the machine has ended");
  const capsa::error ended(ErrorCode::VmEnded,
                           failed != nullptr ? failed->message : "the VM ended before it ran");
  if (main_failure_ && machine_failed()) main_failure_ = ended;
  if (starting_.pending()) starting_.deliver(start_failure_.value_or(protocol::to_caf(ended)));
  for (auto& promise : stopping_)
    promise.deliver(caf::unit);
  stopping_.clear();
  protocol::fail_all(waiting_main_, protocol::to_caf(main_failure_.value_or(ended)));
  protocol::fail_all(waiting_ready_, protocol::to_caf(main_failure_.value_or(ended)));
  answer_waiters();
  if (dropped_) self_->quit();
  keep_ = nullptr;
}

}  // namespace capsa::vm
