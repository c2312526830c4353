#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <backends/kvm/ioctl.hpp>
#include <backends/kvm/vcpu.hpp>
#include <backends/vcpu_threads.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace capsa::kvm {
namespace {

using hypervisor::Completion;
using hypervisor::EndCause;
using hypervisor::ExitKind;

error ended() {
  return {ErrorCode::NotRunning, "the vCPU has ended"};
}

}  // namespace

int kick_signal() noexcept {
  // Real-time signals below this are glibc's (two) or likely choices of others.
  return SIGRTMIN + 7;
}

result<std::shared_ptr<Vcpu>> Vcpu::create(unsigned index, UniqueFd fd, std::size_t mmap_size,
                                           const Bus& memory, const Bus& ports, Loop& loop,
                                           VcpuEvents events) {
  auto vcpu =
      std::shared_ptr<Vcpu>(new Vcpu(index, std::move(fd), memory, ports, loop, std::move(events)));
  void* const base =
      ::mmap(nullptr, mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd_.get(), 0);
  if (base == MAP_FAILED) return error_from_errno(errno, "map a vCPU");
  vcpu->run_ = static_cast<kvm_run*>(base);
  vcpu->run_size_ = mmap_size;
  return vcpu;
}

Vcpu::Vcpu(unsigned index, UniqueFd fd, const Bus& memory, const Bus& ports, Loop& loop,
           VcpuEvents events)
    : index_(index),
      fd_(std::move(fd)),
      memory_(memory),
      ports_(ports),
      loop_(loop),
      events_(std::move(events)) {}

Vcpu::~Vcpu() {
  let_go();
}

void Vcpu::let_go() {
  if (run_ != nullptr) ::munmap(std::exchange(run_, nullptr), run_size_);
  fd_.reset();
}

void Vcpu::enter_thread() {
  // The host program's signals are for its own threads; a crash is for its handler.
  sigset_t blocked;
  ::sigfillset(&blocked);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF})
    ::sigdelset(&blocked, own);
  ::pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
  // Inside KVM_RUN all the same, and the kick besides: it is never unblocked anywhere else, so
  // that it can end a KVM_RUN that had not begun when it was sent, and is never delivered.
  ::sigdelset(&blocked, kick_signal());
  constexpr std::uint32_t kKernelSet = 8;  // bytes of the kernel's sigset_t
  auto mask = with_entries(
      kKernelSet, std::span(reinterpret_cast<const std::byte*>(&blocked), std::size_t{kKernelSet}));
  if (::ioctl(fd_.get(), kSetSignalMask, mask.data()) != 0)
    fail(error_from_errno(errno, "KVM_SET_SIGNAL_MASK").message());
  ::pthread_setname_np(::pthread_self(), ("capsa-vcpu" + std::to_string(index_)).c_str());
  thread_id_ = static_cast<pid_t>(::syscall(SYS_gettid));
}

void Vcpu::run() {
  for (;;) {
    const std::uint32_t wishes = wishes_.load(std::memory_order_acquire);
    if ((wishes & kQuit) != 0 || events_.over->load(std::memory_order_acquire)) break;
    if (wishes != 0) {
      rest(wishes);
      continue;
    }
    if (!enter_guest()) break;
  }
  if (events_.leaving) events_.leaving();
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  answer(ended());
}

/// Stands still until what is wished changes.
void Vcpu::rest(std::uint32_t wishes) {
  // Lets the guest's watchdogs know that it did not run; refused where it has no paravirtual clock.
  ::ioctl(fd_.get(), KVM_KVMCLOCK_CTRL, 0);
  {
    const std::lock_guard lock(mutex_);
    resting_ = true;
  }
  answer({});
  wishes_.wait(wishes, std::memory_order_acquire);
  const std::lock_guard lock(mutex_);
  resting_ = false;
}

bool Vcpu::enter_guest() {
  if (::ioctl(fd_.get(), KVM_RUN, 0) == 0) return handle_exit();
  if (errno == EAGAIN) return true;
  if (errno != EINTR) {
    fail(error_from_errno(errno, "KVM_RUN").message());
    return false;
  }
  count(ExitKind::Interrupted);
  // Takes the kick back, before wishes are looked at: one that comes afterwards is another one.
  sigset_t kicks;
  ::sigemptyset(&kicks);
  ::sigaddset(&kicks, kick_signal());
  const timespec at_once{};
  while (::sigtimedwait(&kicks, nullptr, &at_once) > 0) {
  }
  return true;
}

bool Vcpu::handle_exit() {
  switch (run_->exit_reason) {
    case KVM_EXIT_IO:
      count(ExitKind::Port);
      handle_port();
      return true;
    case KVM_EXIT_MMIO:
      count(ExitKind::Memory);
      handle_memory();
      return true;
    case KVM_EXIT_INTR:
      count(ExitKind::Interrupted);
      return true;
    case KVM_EXIT_HLT:
      count(ExitKind::Halt);
      return true;
    case KVM_EXIT_SHUTDOWN:
      count(ExitKind::Shutdown);
      events_.ended({EndCause::TripleFault, "a CPU of the guest gave up (triple fault)"});
      return false;
    case KVM_EXIT_SYSTEM_EVENT:
      count(ExitKind::SystemEvent);
      switch (run_->system_event.type) {
        case KVM_SYSTEM_EVENT_SHUTDOWN:
          events_.ended({EndCause::PowerOff, "the guest powered off"});
          return false;
        case KVM_SYSTEM_EVENT_RESET:
          events_.ended({EndCause::Reset, "the guest asked for a reset"});
          return false;
        default:
          events_.ended({EndCause::Panic, "the guest reported a crash"});
          return false;
      }
    case KVM_EXIT_FAIL_ENTRY:
      fail("KVM could not enter the guest: hardware reason " +
           std::to_string(run_->fail_entry.hardware_entry_failure_reason));
      return false;
    case KVM_EXIT_INTERNAL_ERROR:
      fail("KVM could not go on with the guest: internal error " +
           std::to_string(run_->internal.suberror));
      return false;
    default:
      fail("KVM left the guest for a reason that is not known here: " +
           std::to_string(run_->exit_reason));
      return false;
  }
}

void Vcpu::handle_port() {
  const auto& io = run_->io;
  auto* data = reinterpret_cast<std::byte*>(run_) + io.data_offset;
  for (std::uint32_t i = 0; i < io.count; ++i, data += io.size) {
    const std::span<std::byte> bytes(data, io.size);
    if (io.direction == KVM_EXIT_IO_IN)
      ports_.read(io.port, bytes);
    else
      ports_.write(io.port, bytes);
  }
}

void Vcpu::handle_memory() {
  auto& mmio = run_->mmio;
  const auto bytes =
      std::as_writable_bytes(std::span(mmio.data)).first(std::min<std::size_t>(mmio.len, 8));
  if (mmio.is_write != 0)
    memory_.write(mmio.phys_addr, bytes);
  else
    memory_.read(mmio.phys_addr, bytes);
}

void Vcpu::fail(std::string message) {
  count(ExitKind::Other);
  events_.ended({EndCause::Failed, "vCPU " + std::to_string(index_) + ": " + std::move(message)});
}

void Vcpu::count(ExitKind kind) {
  exits_[static_cast<std::size_t>(kind)].fetch_add(1, std::memory_order_relaxed);
}

// -- from any thread

void Vcpu::kick() {
  // Not once it has finished: the number may be that of another thread of this program by then,
  // which the signal would end.
  const std::lock_guard lock(mutex_);
  if (const pid_t thread = thread_id_; thread != 0 && !finished_)
    ::syscall(SYS_tgkill, ::getpid(), thread, kick_signal());
}

void Vcpu::quit() {
  wishes_.fetch_or(kQuit, std::memory_order_release);
  wishes_.notify_all();
  kick();
}

void Vcpu::wish(std::uint32_t what, Completion<void> done) {
  bool waits = false;
  {
    // The mutex keeps an answer behind the wish that it is to.
    const std::lock_guard lock(mutex_);
    pausing_.push_back({what, std::move(done)});
    if (!finished_) {
      wishes_.fetch_or(what, std::memory_order_release);
      waits = !resting_;
    }
  }
  if (waits) return kick();
  // At rest it stays so now; where it has ended there is nothing to wait for.
  answer(finished() ? result<void>(ended()) : result<void>());
}

void Vcpu::take_back(std::uint32_t what) {
  wishes_.fetch_and(~what, std::memory_order_release);
  wishes_.notify_all();
  // Who asked for a pause that was taken back before it came is not left waiting. Who asked for
  // the other kind is: this vCPU may run yet.
  answer({}, what);
}

bool Vcpu::finished() const {
  const std::lock_guard lock(mutex_);
  return finished_;
}

/// Answers those who wished for any of `wishes`.
void Vcpu::answer(result<void> outcome, std::uint32_t wishes) {
  std::vector<Pausing> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(pausing_);
    for (auto& one : all)
      if ((one.wish & wishes) == 0) pausing_.push_back(std::move(one));
  }
  for (auto& one : all)
    if ((one.wish & wishes) != 0 && one.done)
      loop_.post([done = std::move(one.done), outcome] { done(outcome); });
}

void Vcpu::pause_with_machine(Completion<void> done) {
  wish(kPauseMachine, std::move(done));
}

void Vcpu::resume_with_machine() {
  take_back(kPauseMachine);
}

void Vcpu::pause(Completion<void> done) {
  wish(kPauseAlone, std::move(done));
}

void Vcpu::resume(Completion<void> done) {
  take_back(kPauseAlone);
  loop_.post([done = std::move(done)] { done({}); });
}

result<hypervisor::VcpuStats> Vcpu::stats() const {
  auto out = hypervisor::thread_stats(::getpid(), thread_id_);
  if (!out) return out;
  for (const auto& counter : exits_)
    out->exits.push_back(counter.load(std::memory_order_relaxed));
  return out;
}

result<void> Vcpu::pin(const std::vector<unsigned>& host_cpus) {
  return hypervisor::pin_thread(::getpid(), thread_id_, host_cpus);
}

}  // namespace capsa::kvm
