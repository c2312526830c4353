#pragma once

#include <actors/protocol/internal.hpp>
#include <cstdint>

namespace capsa::vcpu {

/// One vCPU of a running machine. On QEMU it is a thread of the machine's process, which this actor
/// reaches through the machine.
class VcpuState {
 public:
  static inline const char* name = "capsa.vcpu";
  using Self = actors::VcpuActor::base*;

  VcpuState(Self self, protocol::MachineActor machine, std::uint32_t index)
      : self_(self), machine_(std::move(machine)), index_(index) {}

  actors::VcpuActor::behavior_type make_behavior() {
    using namespace protocol;
    return {
        [this](stats_atom) { return self_->delegate(machine_, stats_atom_v, index_); },
        [this](pin_atom, std::vector<unsigned>& host_cpus) {
          return self_->delegate(machine_, pin_atom_v, index_, std::move(host_cpus));
        },
        [this](pause_atom) { return self_->delegate(machine_, pause_atom_v, index_); },
        [this](resume_atom) { return self_->delegate(machine_, resume_atom_v, index_); },
    };
  }
  void on_exit() { machine_ = nullptr; }

 private:
  Self self_;
  protocol::MachineActor machine_;
  std::uint32_t index_;
};

}  // namespace capsa::vcpu
