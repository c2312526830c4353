#include <actors/machine/machine.hpp>
#include <actors/protocol/spawn.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace capsa::machine {

namespace {
// A boot with every message of the kernel is about 60 kB; the end of it is what tells why.
constexpr std::size_t kKernelLog = 256 * 1024;
constexpr std::string_view kPanic = "Kernel panic - not syncing";
// What Linux says, however quiet it is, before it stops its CPUs for good with the power on. No
// machine can tell that from an idle one; a guest that only says so ends itself and nothing else.
constexpr std::string_view kHalted = "reboot: System halted";

capsa::error gone() {
  return {ErrorCode::NotRunning, "the VM is not running"};
}

capsa::VcpuStats public_stats(const hypervisor::VcpuStats& stats) {
  capsa::VcpuStats out{stats.user, stats.system, {}};
  if (stats.exits.size() != hypervisor::kExitKinds) return out;
  const auto count = [&](hypervisor::ExitKind kind) {
    return stats.exits[static_cast<std::size_t>(kind)];
  };
  using hypervisor::ExitKind;
  out.exits =
      VcpuExits{count(ExitKind::Port), count(ExitKind::Memory),   count(ExitKind::Interrupted),
                count(ExitKind::Halt), count(ExitKind::Shutdown), count(ExitKind::SystemEvent),
                count(ExitKind::Other)};
  return out;
}

capsa::error killed() {
  return {ErrorCode::VmEnded, "the VM was killed before it ran"};
}
}  // namespace

MachineState::MachineState(Self self, loop::EpollLoop& loop, MakeMachine make,
                           std::vector<UniqueFd> handed_over, UniqueFd serial,
                           std::shared_ptr<virtio::Executor> slow, protocol::VmUnit vm)
    : self_(self),
      loop_(loop),
      make_(std::move(make)),
      handed_over_(std::move(handed_over)),
      serial_(std::move(serial)),
      slow_(std::move(slow)),
      vm_(std::move(vm)),
      log_(kKernelLog) {
  self_->set_exit_handler([this](caf::exit_msg& message) { on_exit_message(message); });
}

void MachineState::on_exit_message(caf::exit_msg& message) {
  if (!machine_ || ended_) return self_->quit(std::move(message.reason));
  if (exit_reason_) return;
  exit_reason_ = std::move(message.reason);
  machine_->kill();
}

void MachineState::on_exit() {
  machine_.reset();  // kills what still runs
  if (serial_) loop_.unwatch(serial_.get());
  if (booting_.pending()) booting_.deliver(protocol::to_caf(gone()));
  for (auto& promise : owed_)
    if (promise->pending()) promise->deliver(protocol::to_caf(gone()));
  vm_ = nullptr;
}

caf::result<protocol::VcpuInfos> MachineState::boot() {
  if (killed_) {
    on_ended({hypervisor::EndCause::Killed, {}});
    return protocol::to_caf(killed());
  }
  auto made = make_(loop_);
  if (!made.ok()) return protocol::to_caf(made.error());
  machine_ = std::move(*made);
  if (serial_) loop_.watch(serial_.get(), EPOLLIN, [this](std::uint32_t) { read_serial(); });
  booting_ = self_->make_response_promise();
  auto promise = booting_;
  hypervisor::MachineEvents events;
  events.running = [this](std::vector<hypervisor::VcpuInfo> vcpus) {
    for (const auto& vcpu : vcpus)
      controls_.push_back(vcpu.control);
    if (booting_.pending()) booting_.deliver(protocol::box(std::move(vcpus)));
  };
  events.ended = [this](hypervisor::MachineEnd end) { on_ended(std::move(end)); };
  const auto started = machine_->start(std::move(events));
  handed_over_.clear();
  if (!started.ok()) {
    machine_.reset();  // no end of it follows
    booting_.deliver(protocol::to_caf(started.error()));
  }
  return promise;
}

void MachineState::read_serial() {
  std::array<char, 4096> bytes;
  while (true) {
    const auto n = ::recv(serial_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n > 0) {
      log_.append({bytes.data(), static_cast<std::size_t>(n)});
      look_for_halt(static_cast<std::size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) loop_.rearm(serial_.get(), 0);
    return;
  }
}

void MachineState::look_for_halt(std::size_t fresh) {
  if (halted_ || !machine_) return;
  const auto end = log_.end();
  const auto length = std::min<std::uint64_t>(fresh + kHalted.size(), end - log_.begin());
  if (log_.copy(end - length, end).find(kHalted) == std::string::npos) return;
  halted_ = true;
  machine_->kill();
}

void MachineState::on_ended(hypervisor::MachineEnd end) {
  ended_ = true;
  if (serial_) read_serial();  // the last words may still be in the socket
  if (halted_ && !killed_ && end.cause == hypervisor::EndCause::Killed)
    end = {hypervisor::EndCause::Halted, "the guest halted"};
  protocol::MachineReport report;
  report.kernel_log = log_.copy(log_.begin(), log_.end());
  report.panicked = end.cause == hypervisor::EndCause::Panic ||
                    ((end.cause == hypervisor::EndCause::Reset ||
                      end.cause == hypervisor::EndCause::TripleFault) &&
                     report.kernel_log.find(kPanic) != std::string::npos);
  if (booting_.pending() && end.cause == hypervisor::EndCause::Killed)
    booting_.deliver(protocol::to_caf(killed()));
  else if (booting_.pending())
    booting_.deliver(protocol::to_caf(
        {ErrorCode::BackendFailed,
         end.message.empty() ? std::string("the machine ended before it ran") : end.message,
         "\"capsa doctor\" tells what this machine can run"}));
  report.end = std::move(end);
  self_->send(vm_, protocol::ended_atom_v, protocol::box(std::move(report)));
  protocol::end_from_loop(self_, exit_reason_.value_or(caf::exit_reason::user_shutdown));
}

void MachineState::kill() {
  killed_ = true;
  if (machine_) machine_->kill();
}

hypervisor::Completion<void> MachineState::answer_later(caf::response_promise promise) {
  std::erase_if(owed_, [](const auto& one) { return !one->pending(); });
  auto owed = std::make_shared<caf::response_promise>(std::move(promise));
  owed_.push_back(owed);
  return [owed](result<void> done) {
    if (owed->pending()) protocol::answer(*owed, std::move(done));
  };
}

/// CPU times are read at once; how much memory is held takes its time, away from the loop.
caf::result<protocol::UseBox> MachineState::use() {
  if (!machine_) return protocol::to_caf(gone());
  protocol::MachineUse use;
  for (unsigned i = 0; i < controls_.size(); ++i) {
    const auto stats = machine_->vcpu_stats(i);
    if (!stats.ok()) return protocol::to_caf(stats.error());
    use.cpu_time += stats->user + stats->system;
  }
  auto question = machine_->resident_memory();
  if (!question.ok()) return protocol::to_caf(question.error());
  std::erase_if(owed_, [](const auto& one) { return !one->pending(); });
  const auto owed = std::make_shared<caf::response_promise>(self_->make_response_promise());
  owed_.push_back(owed);
  const auto answer = std::make_shared<result<std::uint64_t>>(0);
  slow_->submit([answer, ask = std::move(*question)] { *answer = ask(); },
                [owed, answer, use]() mutable {
                  if (!owed->pending()) return;
                  if (!answer->ok()) return owed->deliver(protocol::to_caf(answer->error()));
                  use.resident_memory_bytes = **answer;
                  owed->deliver(protocol::box(use));
                });
  return *owed;
}

caf::result<void> MachineState::set_paused(std::uint32_t who, bool paused) {
  if (!machine_) return protocol::to_caf(gone());
  if (who < controls_.size() && controls_[who]) {
    auto promise = self_->make_response_promise();
    if (paused)
      controls_[who]->pause(answer_later(promise));
    else
      controls_[who]->resume(answer_later(promise));
    return promise;
  }
  const bool was = !pausers_.empty();
  if (paused)
    pausers_.insert(who);
  else
    pausers_.erase(who);
  if (was == !pausers_.empty()) return {};
  auto promise = self_->make_response_promise();
  if (paused)
    machine_->pause(answer_later(promise));
  else
    machine_->resume(answer_later(promise));
  return promise;
}

protocol::MachineActor::behavior_type MachineState::make_behavior() {
  using namespace protocol;
  return {
      [this](boot_atom) { return boot(); },
      [this](pause_atom, std::uint32_t who) { return set_paused(who, true); },
      [this](resume_atom, std::uint32_t who) { return set_paused(who, false); },
      [this](button_atom) -> caf::result<void> {
        if (!machine_) return to_caf(gone());
        auto promise = self_->make_response_promise();
        machine_->power_button(answer_later(promise));
        return promise;
      },
      [this](kill_atom) { kill(); },
      [this](stats_atom, std::uint32_t index) -> caf::result<capsa::VcpuStats> {
        if (!machine_) return to_caf(gone());
        const auto stats = machine_->vcpu_stats(index);
        if (!stats.ok()) return to_caf(stats.error());
        return public_stats(*stats);
      },
      [this](stats_atom) { return use(); },
      [this](pin_atom, std::uint32_t index,
             const std::vector<unsigned>& host_cpus) -> caf::result<void> {
        if (!machine_) return to_caf(gone());
        const auto pinned = machine_->pin_vcpu(index, host_cpus);
        if (!pinned.ok()) return to_caf(pinned.error());
        return {};
      },
      [this](resize_atom, const PtySize& size) -> caf::result<void> {
        if (!machine_) return to_caf(gone());
        const auto resized = machine_->resize_console(size.cols, size.rows);
        if (!resized.ok()) return to_caf(resized.error());
        return {};
      },
      [this](klog_atom) { return log_.copy(log_.begin(), log_.end()); },
  };
}

}  // namespace capsa::machine
