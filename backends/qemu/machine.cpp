#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <backends/qemu/child_monitor.hpp>
#include <backends/qemu/machine.hpp>
#include <backends/qemu/machine_end.hpp>
#include <backends/qemu/memfd_bytes.hpp>
#include <backends/qemu/qmp_channel.hpp>

#include <backends/runtime_dir/libexec.hpp>
#include <backends/vcpu_threads.hpp>
#include <cerrno>

namespace capsa::qemu {
namespace {

using hypervisor::Completion;
using hypervisor::MachineEnd;
using hypervisor::MachineEvents;
using hypervisor::MachineSpec;
using hypervisor::VcpuInfo;
using hypervisor::VcpuStats;
using nlohmann::json;

// QEMU closes its control connection on its way out, which takes milliseconds. One that goes on
// without it cannot be controlled any more.
constexpr std::chrono::seconds kHangUpPatience{5};

result<void> check_readable(const std::filesystem::path& file, std::string_view what) {
  if (file.empty() || ::access(file.c_str(), R_OK) == 0) return {};
  return error_from_errno(errno, std::string(what) + " " + file.string());
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  const auto* text = found == object.end() ? nullptr : found->get_ptr<const std::string*>();
  return text == nullptr ? std::string() : *text;
}

std::optional<std::uint64_t> number_of(const json& object, const char* key) {
  const auto found = object.find(key);
  const auto* number =
      found == object.end() ? nullptr : found->get_ptr<const json::number_unsigned_t*>();
  return number == nullptr ? std::nullopt : std::optional<std::uint64_t>(*number);
}

// The reply to query-cpus-fast. Nothing where it is not what it should be.
std::optional<std::vector<VcpuInfo>> parse_vcpus(const json& reply, unsigned expected) {
  if (!reply.is_array() || reply.size() != expected) return std::nullopt;
  std::vector<VcpuInfo> vcpus;
  for (const auto& one : reply) {
    if (!one.is_object()) return std::nullopt;
    const auto index = number_of(one, "cpu-index");
    const auto thread = number_of(one, "thread-id");
    if (!index || !thread || *index >= expected || *thread == 0 || *thread > 0x7fffffff)
      return std::nullopt;
    vcpus.push_back({static_cast<unsigned>(*index), static_cast<std::int64_t>(*thread), nullptr});
  }
  std::sort(vcpus.begin(), vcpus.end(),
            [](const VcpuInfo& a, const VcpuInfo& b) { return a.index < b.index; });
  return vcpus;
}

}  // namespace

// Outlives the machine by at most what is under way on the loop: everything that the loop or the
// spawner may call later holds it weakly.
class QemuMachine::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, Spawner& spawner, QemuInfo qemu, MachineSpec spec, MachineOptions options)
      : loop_(loop),
        spawner_(spawner),
        qemu_(std::move(qemu)),
        spec_(std::move(spec)),
        options_(std::move(options)) {}

  result<void> start(MachineEvents events);
  void command(const char* name, Completion<void> done);
  void power_button(Completion<void> done);
  void kill();
  result<pid_t> thread_of(unsigned index) const;
  pid_t pid() const { return child_ ? child_->pid() : 0; }
  void shut_down();

 private:
  enum class State : std::uint8_t { Created, Starting, Alive, Ended };

  // -- start
  result<Accelerator> choose_accelerator() const;
  result<SpawnRequest> prepare();
  result<void> connect(SpawnRequest& request, const CommandLine& line);
  void take_child(result<ChildProcess> child);

  // -- from QEMU
  void take_event(const QmpEvent& event);
  void take_started(const result<json>& reply);
  void take_vcpus(const result<json>& reply);
  void take_status(const result<json>& reply);
  void control_lost(const error& why);

  // -- end
  void stop_child();
  void conclude(MachineEnd end);
  void cancel_timer();

  Loop& loop_;
  Spawner& spawner_;
  const QemuInfo qemu_;
  const MachineSpec spec_;
  const MachineOptions options_;

  State state_ = State::Created;
  MachineEvents events_;
  std::unique_ptr<QmpChannel> control_;
  std::unique_ptr<ChildMonitor> child_;
  EndRecord record_;
  std::vector<VcpuInfo> vcpus_;
  bool status_asked_ = false;
  std::optional<Loop::TimerId> hang_up_;
};

result<Accelerator> QemuMachine::Impl::choose_accelerator() const {
  if (!options_.accelerator) return qemu_.kvm ? Accelerator::Kvm : Accelerator::Tcg;
  if (*options_.accelerator == Accelerator::Kvm && !qemu_.kvm)
    return error(ErrorCode::BackendUnavailable, "KVM cannot be used: " + qemu_.kvm_reason,
                 "or use emulation (TCG)");
  return *options_.accelerator;
}

result<SpawnRequest> QemuMachine::Impl::prepare() {
  const auto accelerator = choose_accelerator();
  if (!accelerator) return accelerator.error();
  const auto line = build_command_line(spec_, *accelerator);
  if (!line) return line.error();
  if (auto there = check_readable(spec_.kernel, "guest kernel"); !there) return there.error();
  if (auto there = check_readable(spec_.initrd, "initrd"); !there) return there.error();
  if (spec_.firmware)
    if (auto there = check_readable(spec_.firmware->code, "firmware"); !there) return there.error();

  SpawnRequest request;
  request.launcher =
      options_.launcher.empty() ? libexec_program("capsa-launcher") : options_.launcher;
  if (request.launcher.empty())
    return error(ErrorCode::NotFound, "capsa-launcher is not installed",
                 "install capsa's helper programs, or set CAPSA_LIBEXEC to their directory");
  request.program = qemu_.path;
  request.arguments = line->arguments;
  if (!spec_.runtime_dir.empty()) request.pid_file = spec_.runtime_dir / "qemu.pid";
  if (auto connected = connect(request, *line); !connected) return connected.error();
  return request;
}

result<void> QemuMachine::Impl::connect(SpawnRequest& request, const CommandLine& line) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return error_from_errno(errno, "socketpair for QMP");
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  for (const auto& fd : line.fds) {
    // Copies: the caller's are borrowed only until start() returns, QEMU starts later.
    auto copy = duplicate_for_child(fd.source == kControlSocket ? theirs.get() : fd.source);
    if (!copy) return copy.error();
    request.fds.push_back({std::move(*copy), fd.number});
  }
  control_ = std::make_unique<QmpChannel>(
      loop_, std::move(ours), [this](const QmpEvent& event) { take_event(event); },
      [this](const error& why) { control_lost(why); });
  return {};
}

result<void> QemuMachine::Impl::start(MachineEvents events) {
  if (state_ != State::Created)
    return error(ErrorCode::AlreadyRunning, "the machine was started before");
  auto request = prepare();
  if (!request) return request.error();
  state_ = State::Starting;
  events_ = std::move(events);
  // In the socket before QEMU runs: the guest starts with no round trip, and only once events are
  // enabled, so that its end is told however soon it comes.
  control_->command("cont", [this](const result<json>& reply) { take_started(reply); });
  control_->command("query-cpus-fast", [this](const result<json>& reply) { take_vcpus(reply); });
  spawner_.spawn(std::move(*request),
                 [weak = weak_from_this(), loop = &loop_](result<ChildProcess> child) {
                   // Shared: a callback of the loop must be copyable. If it is never run, or finds
                   // no machine, letting go of the child kills it.
                   auto held = std::make_shared<result<ChildProcess>>(std::move(child));
                   loop->post([weak, held] {
                     const auto self = weak.lock();
                     if (self && self->state_ == State::Starting)
                       self->take_child(std::move(*held));
                   });
                 });
  return {};
}

void QemuMachine::Impl::take_child(result<ChildProcess> child) {
  if (!child) {
    record_.failed(child.error().message());
    return conclude(record_.conclude({}, {}));
  }
  state_ = State::Alive;
  child_ = std::make_unique<ChildMonitor>(loop_, std::move(*child), [this](ExitStatus status) {
    const auto self = shared_from_this();
    // Its last word may still be in the socket, and says more than the exit status.
    control_->drain();
    conclude(record_.conclude(status, child_->errors()));
  });
  // kill() may have come first, and so may the end of the guest.
  if (record_.decided()) child_->kill();
}

void QemuMachine::Impl::take_event(const QmpEvent& event) {
  if (event.name == "SHUTDOWN") {
    record_.shutdown(text_of(event.data, "reason"));
    stop_child();
  } else if (event.name == "GUEST_PANICKED") {
    record_.guest_panicked();
    stop_child();
  } else if (event.name == "STOP" && !std::exchange(status_asked_, true)) {
    // By pause(), or because QEMU gave up on the guest: then no other event says so. One question
    // at a time: a STOP that comes before the answer was said before it, so the answer covers it.
    control_->command("query-status", [this](const result<json>& reply) { take_status(reply); });
  }
}

void QemuMachine::Impl::take_status(const result<json>& reply) {
  status_asked_ = false;
  if (!reply || !reply->is_object()) return;
  const std::string status = text_of(*reply, "status");
  if (!is_final_status(status)) return;
  record_.stopped_for_good(status);
  stop_child();
}

void QemuMachine::Impl::take_started(const result<json>& reply) {
  // The connection's own end is control_lost()'s affair.
  if (reply || control_->closed()) return;
  record_.failed(reply.error().message());
  stop_child();
}

void QemuMachine::Impl::take_vcpus(const result<json>& reply) {
  if (control_->closed() || record_.decided()) return;
  auto vcpus = reply ? parse_vcpus(*reply, spec_.cpus) : std::nullopt;
  if (!vcpus) {
    record_.failed("QEMU does not tell its vCPUs");
    return stop_child();
  }
  vcpus_ = std::move(*vcpus);
  if (!events_.running) return;
  loop_.post([weak = weak_from_this(), vcpus = vcpus_] {
    const auto self = weak.lock();
    if (self && self->events_.running) self->events_.running(vcpus);
  });
}

void QemuMachine::Impl::control_lost(const error& why) {
  if (state_ == State::Ended) return;
  if (why.code() != ErrorCode::VmEnded) {
    record_.failed(why.message());
    return stop_child();
  }
  hang_up_ = loop_.call_after(kHangUpPatience, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->state_ == State::Ended) return;
    self->hang_up_.reset();
    self->record_.failed("QEMU closed its control socket and went on");
    self->stop_child();
  });
}

void QemuMachine::Impl::stop_child() {
  if (child_) child_->kill();
}

void QemuMachine::Impl::cancel_timer() {
  if (const auto timer = std::exchange(hang_up_, std::nullopt)) loop_.cancel(*timer);
}

void QemuMachine::Impl::conclude(MachineEnd end) {
  if (state_ == State::Ended) return;
  state_ = State::Ended;
  cancel_timer();
  vcpus_.clear();
  // Before `ended`, which is the last callback: whoever waits for a reply gets its error first.
  control_->close(error(ErrorCode::VmEnded, end.message));
  child_.reset();
  loop_.post([weak = weak_from_this(), end = std::move(end)] {
    const auto self = weak.lock();
    if (!self) return;
    const auto events = std::exchange(self->events_, {});
    if (events.ended) events.ended(end);
  });
}

void QemuMachine::Impl::command(const char* name, Completion<void> done) {
  // Posted either way: no callback comes from inside a call, and `done` may destroy the machine.
  const auto answer = [loop = &loop_, done = std::move(done)](result<void> outcome) {
    if (done) loop->post([done, outcome = std::move(outcome)] { done(outcome); });
  };
  if (state_ != State::Starting && state_ != State::Alive)
    return answer(error(ErrorCode::NotRunning, {}));
  control_->command(name, [answer](const result<json>& reply) {
    answer(reply ? result<void>() : result<void>(reply.error()));
  });
}

void QemuMachine::Impl::power_button(Completion<void> done) {
  if (spec_.acpi) return command("system_powerdown", std::move(done));
  if (!done) return;
  loop_.post([done = std::move(done)] {
    done(error(ErrorCode::UnsupportedFeature, "a machine without ACPI has no power button",
               "stop it through its agent, or kill it"));
  });
}

void QemuMachine::Impl::kill() {
  if (state_ != State::Starting && state_ != State::Alive) return;
  record_.killed_by_us();
  stop_child();
}

result<pid_t> QemuMachine::Impl::thread_of(unsigned index) const {
  if (index >= spec_.cpus)
    return error(ErrorCode::InvalidConfig, "there is no vCPU " + std::to_string(index),
                 "use 0 to " + std::to_string(spec_.cpus - 1));
  if (state_ != State::Alive || index >= vcpus_.size())
    return error(ErrorCode::NotRunning, "the vCPUs are not running");
  return static_cast<pid_t>(vcpus_[index].thread_id);
}

void QemuMachine::Impl::shut_down() {
  state_ = State::Ended;
  cancel_timer();
  events_ = {};
  child_.reset();
  // While it still can be asked whether it is closed: the callbacks of what is pending do.
  if (control_) control_->close(error(ErrorCode::VmEnded, {}));
}

QemuMachine::QemuMachine(Loop& loop, Spawner& spawner, QemuInfo qemu, MachineSpec spec,
                         MachineOptions options)
    : impl_(std::make_shared<Impl>(loop, spawner, std::move(qemu), std::move(spec),
                                   std::move(options))) {}

QemuMachine::~QemuMachine() {
  impl_->shut_down();
}

result<void> QemuMachine::start(MachineEvents events) {
  return impl_->start(std::move(events));
}

void QemuMachine::pause(Completion<void> done) {
  impl_->command("stop", std::move(done));
}

void QemuMachine::resume(Completion<void> done) {
  impl_->command("cont", std::move(done));
}

void QemuMachine::power_button(Completion<void> done) {
  impl_->power_button(std::move(done));
}

void QemuMachine::kill() {
  impl_->kill();
}

result<VcpuStats> QemuMachine::vcpu_stats(unsigned index) const {
  const auto thread = impl_->thread_of(index);
  if (!thread) return thread.error();
  return hypervisor::thread_stats(impl_->pid(), *thread);
}

result<hypervisor::SlowQuestion<std::uint64_t>> QemuMachine::resident_memory() const {
  if (const auto running = impl_->thread_of(0); !running) return running.error();
  return hypervisor::SlowQuestion<std::uint64_t>(
      [pid = impl_->pid()] { return memfd_bytes(pid, kMemoryBackend); });
}

result<void> QemuMachine::pin_vcpu(unsigned index, const std::vector<unsigned>& host_cpus) {
  const auto thread = impl_->thread_of(index);
  if (!thread) return thread.error();
  return hypervisor::pin_thread(impl_->pid(), *thread, host_cpus);
}

result<void> QemuMachine::resize_console(std::uint16_t columns, std::uint16_t rows) {
  return error(ErrorCode::UnsupportedFeature, "QEMU's console has no size",
               "say it to the guest: stty rows " + std::to_string(rows) + " cols " +
                   std::to_string(columns));
}

}  // namespace capsa::qemu
