#include <fcntl.h>

#include <backends/kvm/assembly.hpp>
#include <backends/kvm/machine.hpp>
#include <backends/kvm/own_devices.hpp>
#include <backends/kvm/tables/machine_tables.hpp>
#include <cerrno>
#include <string>

namespace capsa::kvm {

using hypervisor::Completion;
using hypervisor::EndCause;
using hypervisor::MachineEnd;
using hypervisor::MachineEvents;
using hypervisor::MachineSpec;
using hypervisor::VcpuStats;

namespace {

/// Whether the last "reboot=" of a kernel command line names the triple fault.
bool resets_by_triple_fault(const std::string& command_line) {
  constexpr std::string_view kKey = "reboot=";
  const auto at = command_line.rfind(kKey);
  if (at == std::string::npos) return false;
  const auto end = command_line.find(' ', at);
  return command_line.substr(at, end - at).find('t', kKey.size()) != std::string::npos;
}

}  // namespace

// Outlives the machine by at most what is under way on the loop: everything that the loop or a
// vCPU may call later holds it weakly.
class KvmMachine::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, MachineSpec spec) : loop_(loop), spec_(std::move(spec)) {}

  result<void> start(MachineEvents events);
  void pause(Completion<void> done);
  void resume(Completion<void> done);
  void power_button(Completion<void> done);
  void kill();
  result<std::shared_ptr<Vcpu>> vcpu(unsigned index) const;
  result<std::shared_ptr<const memory::GuestMemory>> memory() const;
  result<void> resize_console(std::uint16_t columns, std::uint16_t rows);
  void shut_down();

 private:
  enum class State : std::uint8_t { Created, Starting, Running, Ended };

  result<void> check() const;
  template <class F>
  auto on_loop(F work);
  void take_built();
  void take_end(MachineEnd end);
  void conclude();
  void tell_end();
  void answer(Completion<void> done, result<void> outcome);

  Loop& loop_;
  const MachineSpec spec_;
  State state_ = State::Created;
  MachineEvents events_;
  std::shared_ptr<OwnDevices> devices_;
  std::shared_ptr<Assembly> assembly_;
  std::optional<MachineEnd> end_;
};

/// A function for any thread that has `work` done on the loop, while the machine is there.
template <class F>
auto KvmMachine::Impl::on_loop(F work) {
  return [weak = weak_from_this(), loop = &loop_, work](auto... arguments) {
    loop->post([weak, work, ... arguments = std::move(arguments)] {
      if (const auto self = weak.lock()) work(*self, arguments...);
    });
  };
}

result<void> KvmMachine::Impl::check() const {
  if (spec_.cpus == 0 || spec_.cpus > kMaxCpus)
    return error(ErrorCode::InvalidConfig, "cpus: " + std::to_string(spec_.cpus) + " given",
                 "use 1 to " + std::to_string(kMaxCpus));
  for (const auto& device : spec_.devices) {
    if (!device.slot || !device.slot->transport)
      return error(ErrorCode::Internal, "a device of the machine has no transport");
  }
  return {};
}

result<void> KvmMachine::Impl::start(MachineEvents events) {
  if (state_ != State::Created)
    return error(ErrorCode::AlreadyRunning, "the machine was started before");
  if (auto checked = check(); !checked) return checked;
  UniqueFd serial;
  if (spec_.serial_fd >= 0) {
    serial = UniqueFd(::fcntl(spec_.serial_fd, F_DUPFD_CLOEXEC, 0));
    if (!serial) return error_from_errno(errno, "take over the serial line");
  }
  auto devices = OwnDevices::create(loop_, spec_.console_fd);
  if (!devices) return devices.error();
  devices_ = std::move(*devices);
  // The console first: then it has the lowest number in every guest.
  Assembly::Transports transports = devices_->transports();
  for (const auto& device : spec_.devices)
    transports.push_back(device.slot->transport);
  for (const auto& transport : transports)
    if (!transport->usable()) return transport->usable();

  AssemblyEvents told;
  told.built = on_loop([](Impl& self) { self.take_built(); });
  told.ended = on_loop([](Impl& self, const MachineEnd& end) { self.take_end(end); });
  told.finished = on_loop([](Impl& self) { self.conclude(); });
  assembly_ = std::make_shared<Assembly>(loop_, spec_, std::move(serial), std::move(transports),
                                         std::move(told));
  if (auto started = assembly_->start(); !started) return started;
  state_ = State::Starting;
  events_ = std::move(events);
  return {};
}

void KvmMachine::Impl::take_built() {
  if (state_ != State::Starting) return;
  state_ = State::Running;
  std::vector<hypervisor::VcpuInfo> infos;
  for (const auto& vcpu : assembly_->vcpus())
    infos.push_back({vcpu->index(), vcpu->thread_id(), vcpu});
  // Not where the end was heard of already: then that is what there is to tell.
  if (!end_ && events_.running) events_.running(std::move(infos));
}

void KvmMachine::Impl::take_end(MachineEnd end) {
  if (end_) return;
  // A guest that was told to reset that way does so, and has not crashed.
  if (end.cause == EndCause::TripleFault && resets_by_triple_fault(spec_.command_line))
    end = {EndCause::Reset, "the guest asked for a reset"};
  end_ = std::move(end);
  assembly_->quit();
}

void KvmMachine::Impl::kill() {
  if (state_ == State::Starting || state_ == State::Running) take_end({EndCause::Killed, "killed"});
}

/// Every thread is on its way out.
void KvmMachine::Impl::conclude() {
  if (state_ == State::Ended) return;
  state_ = State::Ended;
  devices_->close();
  assembly_->release(on_loop([](Impl& self) { self.tell_end(); }));
}

void KvmMachine::Impl::tell_end() {
  const auto events = std::exchange(events_, {});
  if (events.ended) events.ended(end_.value_or(MachineEnd{EndCause::Failed, "every vCPU ended"}));
}

void KvmMachine::Impl::answer(Completion<void> done, result<void> outcome) {
  // Posted: no callback comes from inside a call, and `done` may destroy the machine.
  if (done) loop_.post([done = std::move(done), outcome = std::move(outcome)] { done(outcome); });
}

void KvmMachine::Impl::pause(Completion<void> done) {
  if (state_ != State::Running) return answer(std::move(done), error(ErrorCode::NotRunning, {}));
  // Answered once, when the last of them stands.
  struct Pausing {
    std::size_t left;
    result<void> outcome;
  };
  const auto all = std::make_shared<Pausing>(Pausing{assembly_->vcpus().size(), {}});
  const auto one = [all, done = std::move(done)](const result<void>& outcome) {
    if (all->outcome && !outcome) all->outcome = outcome;
    if (--all->left == 0 && done) done(all->outcome);
  };
  for (const auto& vcpu : assembly_->vcpus())
    vcpu->pause_with_machine(one);
}

void KvmMachine::Impl::resume(Completion<void> done) {
  if (state_ != State::Running) return answer(std::move(done), error(ErrorCode::NotRunning, {}));
  for (const auto& vcpu : assembly_->vcpus())
    vcpu->resume_with_machine();
  answer(std::move(done), {});
}

void KvmMachine::Impl::power_button(Completion<void> done) {
  if (!spec_.acpi)
    return answer(std::move(done),
                  error(ErrorCode::UnsupportedFeature, "a machine without ACPI has no power button",
                        "stop it through its agent, or kill it"));
  if (state_ != State::Running) return answer(std::move(done), error(ErrorCode::NotRunning, {}));
  assembly_->press_power_button();
  answer(std::move(done), {});
}

result<std::shared_ptr<Vcpu>> KvmMachine::Impl::vcpu(unsigned index) const {
  if (index >= spec_.cpus)
    return error(ErrorCode::InvalidConfig, "there is no vCPU " + std::to_string(index),
                 "use 0 to " + std::to_string(spec_.cpus - 1));
  if (state_ != State::Running) return error(ErrorCode::NotRunning, "the vCPUs are not running");
  return assembly_->vcpus()[index];
}

result<std::shared_ptr<const memory::GuestMemory>> KvmMachine::Impl::memory() const {
  if (state_ != State::Running) return error(ErrorCode::NotRunning, "the machine is not running");
  return assembly_->memory();
}

result<void> KvmMachine::Impl::resize_console(std::uint16_t columns, std::uint16_t rows) {
  if (state_ != State::Running) return error(ErrorCode::NotRunning, "the machine is not running");
  if (!devices_->resize_console(columns, rows))
    return error(ErrorCode::UnsupportedFeature, "the machine has no console",
                 "add console_enabled() to its builder");
  return {};
}

void KvmMachine::Impl::shut_down() {
  events_ = {};
  if (state_ == State::Ended || !assembly_) return;
  state_ = State::Ended;
  assembly_->quit();
  devices_->close();
}

KvmMachine::KvmMachine(Loop& loop, MachineSpec spec)
    : impl_(std::make_shared<Impl>(loop, std::move(spec))) {}

KvmMachine::~KvmMachine() {
  impl_->shut_down();
}

result<void> KvmMachine::start(MachineEvents events) {
  return impl_->start(std::move(events));
}

void KvmMachine::pause(Completion<void> done) {
  impl_->pause(std::move(done));
}

void KvmMachine::resume(Completion<void> done) {
  impl_->resume(std::move(done));
}

void KvmMachine::power_button(Completion<void> done) {
  impl_->power_button(std::move(done));
}

void KvmMachine::kill() {
  impl_->kill();
}

result<VcpuStats> KvmMachine::vcpu_stats(unsigned index) const {
  const auto vcpu = impl_->vcpu(index);
  return vcpu ? (*vcpu)->stats() : result<VcpuStats>(vcpu.error());
}

result<hypervisor::SlowQuestion<std::uint64_t>> KvmMachine::resident_memory() const {
  const auto memory = impl_->memory();
  if (!memory) return memory.error();
  // Weak: who asks must not keep a machine's memory when the machine is gone.
  return hypervisor::SlowQuestion<std::uint64_t>(
      [weak = std::weak_ptr(*memory)]() -> result<std::uint64_t> {
        const auto held = weak.lock();
        return held ? held->resident() : error(ErrorCode::NotRunning, "the machine has ended");
      });
}

result<void> KvmMachine::pin_vcpu(unsigned index, const std::vector<unsigned>& host_cpus) {
  const auto vcpu = impl_->vcpu(index);
  return vcpu ? (*vcpu)->pin(host_cpus) : result<void>(vcpu.error());
}

result<void> KvmMachine::resize_console(std::uint16_t columns, std::uint16_t rows) {
  return impl_->resize_console(columns, rows);
}

}  // namespace capsa::kvm
