#pragma once

#include <actors/protocol/internal.hpp>
#include <actors/runtime/services.hpp>
#include <actors/vm/vm_plan.hpp>
#include <actors/vm/vm_units.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace capsa::vm {

/// A virtual machine: its state, the units of its current boot, and those who wait for something.
///
/// A boot ends in one way only: something asks the machine to end, or it ends by itself or fails to
/// start; then tear_down() ends the units, and finish() runs once the last of them is gone. Only
/// then is the VM Stopped or Failed, so whoever waited finds nothing left on the host.
class VmState {
 public:
  static inline const char* name = "capsa.vm";
  using Self = protocol::VmUnit::base*;

  /// The services outlive the actor: the runtime, with which it is noted, waits for its end.
  VmState(Self self, Services& services, std::shared_ptr<const VmPlan> plan,
          std::shared_ptr<VmShared> shared);
  ~VmState();

  protocol::VmUnit::behavior_type make_behavior();
  void on_exit();

 private:
  using Promises = std::vector<caf::response_promise>;

  // -- life (vm.cpp)
  caf::result<void> start();
  caf::result<void> stop(caf::timespan grace);
  caf::result<void> kill();
  void on_running(const protocol::VcpuInfos& vcpus);
  void boot_machine();
  void on_boot_failed(const caf::error& why);
  void on_ended(const protocol::EndBox& report);
  void on_down(const caf::down_msg& down);
  void kill_machine();
  void fail(std::string why);
  void tear_down();
  void leave_cluster();
  void finish();
  VmStatus final_status() const;

  // -- what is asked of the machine and its units (vm_requests.cpp)
  caf::result<void> set_paused(bool paused);
  caf::result<std::string> kernel_log();
  caf::result<actors::VmNetworkActors> network();
  caf::result<void> resize_console(const PtySize& size);
  caf::result<actors::ConsoleActor> console();
  caf::result<actors::AgentActor> agent();
  caf::result<actors::StartedProcess> main_process();
  caf::result<std::optional<int>> wait_for_end(std::optional<caf::timespan> longest);
  void give_up_waiting(std::uint64_t waiter);
  caf::result<actors::VsockPortActor> vsock_port(std::uint32_t port);
  caf::result<void> wait_until_ready();
  void answer_ready();

  // -- what it uses (vm_stats.cpp)
  using StatsDone = std::function<void(const std::optional<VmStats>&)>;
  caf::result<VmStats> stats();
  caf::result<protocol::ScrapeBox> scrape();
  void collect_stats(StatsDone done);

  // -- what changes is told (vm_events.cpp)
  void set_status(VmStatus status, std::string cause);
  void publish(VmEvent::Kind kind, std::string cause);
  void answer_waiters();

  // -- the guest's agent and a sandbox's command (vm_guest.cpp)
  void on_agent_ready();
  void on_agent_lost(const std::string& why);
  void ask_guest_to_stop();
  void press_power_button();
  void set_up_guest();
  void on_set_up();
  void start_main();
  void on_main_ended(const ExitStatus& status);
  void fail_main(const std::string& doing, const capsa::error& why);
  void give_up_main();

  // -- the root of a sandbox that runs an image (vm_image.cpp)
  void set_up_root();
  void make_directories(std::size_t next);
  bool signal_main_to_stop();

  bool active() const { return !status_.is<VmStatus::Created>() && !status_.ended(); }
  /// Whether its units can be asked.
  bool up() const { return active() && !tearing_down_; }
  /// Whether the machine itself has told why it failed.
  bool machine_failed() const;
  /// A promise for what a unit is asked, answered at the latest by on_exit().
  std::shared_ptr<caf::response_promise> owe();
  caf::error not_running() const;
  void restart(const caf::actor_addr& who, const caf::error& why);

  Self self_;
  Services& services_;
  std::shared_ptr<const VmPlan> plan_;
  std::shared_ptr<VmShared> shared_;
  loop::EpollLoop& loop_;
  protocol::ConsoleUnit console_;

  VmStatus status_;
  std::chrono::steady_clock::time_point running_since_;
  std::uint64_t boot_ = 0;  ///< counts boots: late timers of an earlier one are ignored
  VmUnits units_;
  std::set<caf::actor_addr> alive_;
  // Itself, from start() until nothing of the boot is left: CAF ends an actor that nobody refers
  // to, and a VM whose last handle is gone has units to wait for, which do not refer to it.
  caf::strong_actor_ptr keep_;
  std::optional<caf::error> start_failure_;  // for whoever asked for the start
  std::size_t units_pending_ = 0;            // disks not yet open, a gateway not yet there
  bool tearing_down_ = false;
  bool agent_ready_ = false;
  bool setup_begun_ = false;  // once a boot, however often the agent reports
  bool set_up_ = false;       // a sandbox's guest has its shares and its network
  bool stop_requested_ = false;
  bool guest_told_ = false;  // the agent has begun to power the guest off
  bool dropped_ = false;
  unsigned restarts_ = 0;
  std::optional<std::string> failure_;
  std::optional<protocol::MachineReport> report_;
  std::string kernel_log_;
  std::optional<int> exit_code_;
  std::optional<actors::StartedProcess> main_;
  protocol::AgentLink main_link_;  // which started it; kept when it has ended
  std::optional<capsa::error> main_failure_;
  bool main_signalled_ = false;  // by the stop signal of its image

  caf::response_promise starting_;
  Promises stopping_;
  std::map<std::uint64_t, caf::response_promise> waiting_;  // for the end
  std::uint64_t next_waiter_ = 0;
  Promises waiting_main_;
  Promises waiting_ready_;
  std::vector<std::shared_ptr<caf::response_promise>> owed_;
  std::set<caf::actor> subscribers_;
};

}  // namespace capsa::vm
