#pragma once

#include <backends/hypervisor.hpp>
#include <backends/qemu/command_line.hpp>
#include <backends/qemu/probe.hpp>
#include <backends/qemu/spawn.hpp>
#include <capsa/loop.hpp>
#include <memory>
#include <optional>

namespace capsa::qemu {

struct MachineOptions {
  /// Nothing: KVM where it can be used, else TCG.
  std::optional<Accelerator> accelerator;
  /// Empty: libexec_program("capsa-launcher").
  std::filesystem::path launcher;
};

/// A machine run by a QEMU process of its own. The commands that start the guest are in the
/// control socket before QEMU runs, so nothing waits for a round trip. The loop outlives the
/// spawner, which outlives the machine. Destruction kills QEMU without waiting: the spawner reaps
/// it. Requests under way are answered with VmEnded when the machine ends or is destroyed.
///
/// What a machine makes in `runtime_dir` is `qemu.pid`, gone when it has ended, or once it has been
/// reaped after a destruction.
class QemuMachine final : public hypervisor::Machine {
 public:
  QemuMachine(Loop& loop, Spawner& spawner, QemuInfo qemu, hypervisor::MachineSpec spec,
              MachineOptions options = {});
  ~QemuMachine() override;

  /// InvalidConfig for what the machine cannot have, NotFound for a kernel or initrd that cannot
  /// be read or a missing launcher, BackendUnavailable for KVM where there is none, AlreadyRunning
  /// on a second call. A QEMU that refuses later `ended` with Failed and its own words.
  result<void> start(hypervisor::MachineEvents events) override;
  void pause(hypervisor::Completion<void> done) override;
  void resume(hypervisor::Completion<void> done) override;
  void power_button(hypervisor::Completion<void> done) override;
  void kill() override;
  /// In steps of 10 ms. NotRunning before `running` and after the end.
  result<hypervisor::VcpuStats> vcpu_stats(unsigned index) const override;
  result<hypervisor::SlowQuestion<std::uint64_t>> resident_memory() const override;
  result<void> pin_vcpu(unsigned index, const std::vector<unsigned>& host_cpus) override;
  /// Refused: QEMU's console device does not tell of any.
  result<void> resize_console(std::uint16_t columns, std::uint16_t rows) override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace capsa::qemu
