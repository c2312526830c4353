#pragma once

#include <atomic>
#include <backends/hypervisor.hpp>
#include <backends/kvm/boot/linux.hpp>
#include <backends/kvm/bus.hpp>
#include <backends/kvm/devices/platform.hpp>
#include <backends/kvm/small_thread.hpp>
#include <backends/kvm/vcpu.hpp>
#include <backends/kvm/vm.hpp>
#include <backends/virtio/mmio/transport.hpp>
#include <memory>
#include <optional>
#include <vector>

namespace capsa::kvm {

/// What the machine's threads tell its loop. Called on their threads.
struct AssemblyEvents {
  std::function<void()> built;  ///< everything is there, and the guest begins to run
  std::function<void(hypervisor::MachineEnd)> ended;  ///< maybe more than once: the first counts
  std::function<void()> finished;                     ///< the last: every thread is on its way out
};

/// A machine put together: the virtual machine of KVM, memory, devices on buses, vCPUs and their
/// threads. Building reads files and calls the kernel for milliseconds, so it is the first thing
/// that the first vCPU's own thread does. Lives until the last thread has let go of it; nobody
/// waits for that, and the loop does not.
class Assembly final : public std::enable_shared_from_this<Assembly> {
 public:
  using Transports = std::vector<std::shared_ptr<virtio::mmio::Transport>>;

  /// `loop` outlives it. The descriptors in `spec` are not used any more, but for `serial`.
  Assembly(Loop& loop, hypervisor::MachineSpec spec, UniqueFd serial, Transports transports,
           AssemblyEvents events);
  /// Joins what has ended, which is everything where the loop did its part.
  ~Assembly();

  /// Starts the first thread. ResourceExhausted where there is none to be had.
  result<void> start();
  /// Everything ends, as soon as each thread can be taken out of the guest. On the loop, or on a
  /// thread of the machine.
  void quit();
  /// On the loop, after `finished`: joins the threads, which takes microseconds, and has what the
  /// machine had of KVM given back by a thread, as the kernel takes its time for that. `released`
  /// is called on the loop, when it is done. The memory goes with the last device that uses it.
  void release(std::function<void()> released);

  // -- after `built`
  const std::vector<std::shared_ptr<Vcpu>>& vcpus() const noexcept { return vcpus_; }
  const std::shared_ptr<const memory::GuestMemory>& memory() const noexcept { return memory_; }
  void press_power_button() { event_device_->raise(kEventPowerButton); }

 private:
  using Step = result<void> (Assembly::*)();

  // -- the first thread
  void build_and_run();
  result<void> build();
  result<void> do_all(std::initializer_list<Step> steps);
  result<void> build_vm();
  result<void> build_platform();
  result<void> build_virtio();
  result<void> build_vcpus();
  result<void> put_together();
  result<void> start_others();

  // -- a thread beside it, while it builds
  result<void> build_memory();
  result<void> build_tables();
  result<void> load();

  // -- the last thread
  void dismantle();

  // -- every thread
  void join();
  void run(Vcpu& vcpu);
  void leave();
  void end(hypervisor::MachineEnd how);
  void take_along(unsigned leaving);
  result<UniqueFd> interrupt_line(unsigned line);

  Loop& loop_;
  const hypervisor::MachineSpec spec_;
  UniqueFd serial_;
  Transports transports_;  // the loop's, once it is built
  const AssemblyEvents events_;

  std::atomic<bool> over_{false};         // the guest has ended, or is to
  std::atomic<bool> started_{false};      // the other threads may begin
  std::atomic<bool> taken_along_{false};  // a vCPU that left has kicked the others
  std::atomic<unsigned> running_{0};      // threads that have not left

  std::optional<KvmSystem> system_;
  std::shared_ptr<const memory::GuestMemory> memory_;
  std::optional<KvmVm> vm_;
  Bus memory_bus_;
  Bus port_bus_;
  UniqueFd serial_line_;
  std::shared_ptr<EventDevice> event_device_;
  std::optional<GuestAddress> rsdp_;
  std::optional<EntryState> entry_;

  std::mutex mutex_;  // guards what follows while it is being built
  std::vector<std::shared_ptr<Vcpu>> vcpus_;
  std::vector<SmallThread> threads_;
};

}  // namespace capsa::kvm
