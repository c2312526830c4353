#pragma once

#include <backends/hypervisor.hpp>
#include <capsa/loop.hpp>
#include <memory>

namespace capsa::kvm {

/// A machine of our own on KVM, in this process: devices on the loop, one thread for each vCPU.
/// Devices of the spec must have their transports when it is started; the console and the random
/// number generator are its own. The loop outlives the machine. Destruction ends the guest without
/// waiting: the loop joins the threads as they leave.
class KvmMachine final : public hypervisor::Machine {
 public:
  KvmMachine(Loop& loop, hypervisor::MachineSpec spec);
  ~KvmMachine() override;

  /// InvalidConfig for what the machine cannot have, AlreadyRunning on a second call. What only
  /// shows while it is put together (/dev/kvm, kernel, memory) is told by `ended` with Failed.
  result<void> start(hypervisor::MachineEvents events) override;
  void pause(hypervisor::Completion<void> done) override;
  void resume(hypervisor::Completion<void> done) override;
  void power_button(hypervisor::Completion<void> done) override;
  void kill() override;
  result<hypervisor::VcpuStats> vcpu_stats(unsigned index) const override;
  result<hypervisor::SlowQuestion<std::uint64_t>> resident_memory() const override;
  result<void> pin_vcpu(unsigned index, const std::vector<unsigned>& host_cpus) override;
  result<void> resize_console(std::uint16_t columns, std::uint16_t rows) override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace capsa::kvm
