#pragma once

#include <linux/kvm.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <backends/hypervisor.hpp>
#include <backends/kvm/bus.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <mutex>

namespace capsa::kvm {

/// What a vCPU tells its machine, on its own thread.
struct VcpuEvents {
  /// The guest ended by what this vCPU did; it does not run on.
  std::function<void(hypervisor::MachineEnd)> ended;
  /// Whether the guest has ended by what any vCPU did.
  const std::atomic<bool>* over = nullptr;
  /// It runs no guest any more; still on its thread, with its own end to come.
  std::function<void()> leaving;
};

/// The signal by which a vCPU's thread is taken out of its guest. It is blocked in these threads
/// but for the time inside KVM_RUN, which it ends, and is taken back by sigtimedwait(2): no handler
/// is installed for it or called. A host program may use the same signal for threads of its own.
int kick_signal() noexcept;

/// One vCPU and its run loop. run() is the whole life of a thread; the rest may be called from any
/// thread. What is asked of it takes effect as soon as the guest can be left: a signal's time.
class Vcpu final : public hypervisor::VcpuControl, public std::enable_shared_from_this<Vcpu> {
 public:
  /// `fd` is of KVM_CREATE_VCPU. `loop` outlives the vCPU and is where completions come.
  static result<std::shared_ptr<Vcpu>> create(unsigned index, UniqueFd fd, std::size_t mmap_size,
                                              const Bus& memory, const Bus& ports, Loop& loop,
                                              VcpuEvents events);
  ~Vcpu() override;

  int fd() const noexcept { return fd_.get(); }
  unsigned index() const noexcept { return index_; }

  /// To be called first of all on the thread that will run(): from then on it can be kicked.
  void enter_thread();
  /// Runs the guest until quit(), or until it ended. Once, on the thread of enter_thread().
  void run();
  pid_t thread_id() const noexcept { return thread_id_; }
  /// Gives KVM's vCPU back, whoever still holds this object. After the thread of run() was joined,
  /// or where there was none. Takes some 10 ms where KVM's virtual machine goes with it.
  void let_go();

  /// Ends run() for good.
  void quit();
  /// The machine's own pause, beside that of this vCPU alone.
  void pause_with_machine(hypervisor::Completion<void> done);
  void resume_with_machine();

  // -- hypervisor::VcpuControl
  void pause(hypervisor::Completion<void> done) override;
  void resume(hypervisor::Completion<void> done) override;
  result<hypervisor::VcpuStats> stats() const override;
  result<void> pin(const std::vector<unsigned>& host_cpus) override;

 private:
  enum Wish : std::uint32_t { kPauseAlone = 1, kPauseMachine = 2, kQuit = 4 };
  static constexpr std::uint32_t kAnyPause = kPauseAlone | kPauseMachine;
  /// Somebody who waits for the vCPU to stand.
  struct Pausing {
    std::uint32_t wish = 0;
    hypervisor::Completion<void> done;
  };

  Vcpu(unsigned index, UniqueFd fd, const Bus& memory, const Bus& ports, Loop& loop,
       VcpuEvents events);

  void wish(std::uint32_t what, hypervisor::Completion<void> done);
  void take_back(std::uint32_t what);
  void kick();
  bool finished() const;
  void answer(result<void> outcome, std::uint32_t wishes = kAnyPause);
  void rest(std::uint32_t wishes);
  bool enter_guest();
  bool handle_exit();
  void handle_port();
  void handle_memory();
  void fail(std::string message);
  void count(hypervisor::ExitKind kind);

  const unsigned index_;
  UniqueFd fd_;
  const Bus& memory_;
  const Bus& ports_;
  Loop& loop_;
  const VcpuEvents events_;
  kvm_run* run_ = nullptr;
  std::size_t run_size_ = 0;

  std::atomic<pid_t> thread_id_{0};
  std::atomic<std::uint32_t> wishes_{0};
  std::array<std::atomic<std::uint64_t>, hypervisor::kExitKinds> exits_{};

  mutable std::mutex mutex_;  // guards what follows
  bool finished_ = false;
  bool resting_ = false;
  std::vector<Pausing> pausing_;
};

}  // namespace capsa::kvm
