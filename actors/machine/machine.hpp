#pragma once

#include <actors/console/core/output_ring.hpp>
#include <actors/loop/epoll_loop.hpp>
#include <actors/protocol/internal.hpp>
#include <backends/hypervisor.hpp>
#include <backends/virtio/device.hpp>
#include <functional>
#include <memory>
#include <set>
#include <vector>

namespace capsa::machine {

/// How to make a machine on the loop that it will live on.
using MakeMachine = std::function<result<std::unique_ptr<hypervisor::Machine>>(Loop&)>;

/// The machine of one boot, on the VM's loop; ends with it, after a last report to the VM. Asked to
/// end before, it kills the machine and waits for that: whoever sees this actor end knows that no
/// thread of the machine is left, which uses the loop.
class MachineState {
 public:
  static inline const char* name = "capsa.machine";
  using Self = protocol::MachineActor::base*;

  /// `handed_over`: descriptors that the machine borrows until it has started. `serial`: our end of
  /// the serial port, to which the guest's kernel writes. `slow` runs what would hold up the loop.
  MachineState(Self self, loop::EpollLoop& loop, MakeMachine make,
               std::vector<UniqueFd> handed_over, UniqueFd serial,
               std::shared_ptr<virtio::Executor> slow, protocol::VmUnit vm);

  protocol::MachineActor::behavior_type make_behavior();
  void on_exit();

 private:
  caf::result<protocol::VcpuInfos> boot();
  void kill();
  void read_serial();
  void look_for_halt(std::size_t fresh);
  void on_exit_message(caf::exit_msg& message);
  void on_ended(hypervisor::MachineEnd end);
  caf::result<void> set_paused(std::uint32_t who, bool paused);
  caf::result<protocol::UseBox> use();
  hypervisor::Completion<void> answer_later(caf::response_promise promise);

  Self self_;
  loop::EpollLoop& loop_;
  MakeMachine make_;
  std::vector<UniqueFd> handed_over_;
  UniqueFd serial_;
  std::shared_ptr<virtio::Executor> slow_;
  protocol::VmUnit vm_;

  std::unique_ptr<hypervisor::Machine> machine_;
  // Remembered: sent at high priority, it may come before the boot that it is to end.
  bool killed_ = false;
  bool halted_ = false;
  bool ended_ = false;
  std::optional<caf::error> exit_reason_;  // asked to end
  console::OutputRing log_;
  std::set<std::uint32_t> pausers_;  // who wants the whole machine to stand still
  std::vector<std::shared_ptr<hypervisor::VcpuControl>>
      controls_;  // by index; none: by the machine
  caf::response_promise booting_;
  // Answers that the machine owes: it may end without giving them.
  std::vector<std::shared_ptr<caf::response_promise>> owed_;
};

}  // namespace capsa::machine
