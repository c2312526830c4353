#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/network/vm_guard.hpp>
#include <actors/network/wire.hpp>
#include <backends/qemu/spawn.hpp>
#include <filesystem>
#include <memory>
#include <net/host_nat/gate.hpp>
#include <net/host_nat/interface.hpp>
#include <net/tap/tap.hpp>
#include <optional>
#include <string>
#include <vector>

namespace capsa::network {

/// The way of a VM's network to the host's kernel.
struct HostUplinkPlan {
  net::host_nat::Interface interface;
  IpAddress address;          ///< of the host on it
  std::string rules;          ///< what nft is told at first
  std::string removal;        ///< and at last
  std::filesystem::path nft;  ///< the program
  protocol::WireId wire = 0;
  std::shared_ptr<VmGuard> guard;    ///< of the VM; never null
  qemu::Spawner* spawner = nullptr;  ///< outlives the actor
};

/// A TAP interface of the host at an uplink port of a VM's switch, and the rules of nftables that
/// make a NAT of the host's kernel. The machine waits until this has answered that it is ready.
///
/// Asked to end it closes the interface, then takes the rules away: whoever sees this actor end
/// finds nothing left of both.
class HostUplinkState final : private net::FrameReceiver {
 public:
  static inline const char* name = "capsa.host_uplink";
  using Self = protocol::UplinkUnit::base*;

  HostUplinkState(Self self, loop::EpollLoop& loop, HostUplinkPlan plan, protocol::SwitchUnit to);
  ~HostUplinkState() override;

  protocol::UplinkUnit::behavior_type make_behavior();
  void on_exit();

 private:
  // -- net::FrameReceiver: what comes from the kernel
  void receive(net::FrameBatch batch) override;
  void credit_available() override {}
  net::Offloads offloads() const override { return wire_.offloads(); }

  result<void> open();
  void send(net::FrameBatch batch);
  void abort_flow(const net::FrameBytes& bytes);
  void on_ready(std::uint32_t events);
  void rearm();
  void close_interface();
  void on_ruled(const result<void>& made);
  void fail(const capsa::error& why);
  void on_exit_message(caf::exit_msg& message);
  void remove_rules();

  Self self_;
  loop::EpollLoop& loop_;
  HostUplinkPlan plan_;
  protocol::SwitchUnit switch_;
  Wire wire_;
  net::host_nat::Gate gate_;
  std::shared_ptr<net::FramePool> pool_ = net::FramePool::create();
  std::unique_ptr<net::Tap> tap_;
  std::chrono::steady_clock::time_point host_refreshed_{};
  std::optional<capsa::error> failure_;
  std::vector<caf::response_promise> waiting_;  // for the rules to be in force
  bool nft_runs_ = false;
  bool ruled_ = false;  // rules are, or may be, in force
  bool ready_ = false;
  bool ending_ = false;
  bool at_rest_ = false;
  caf::error reason_;
  // Expires with this: what is called back late finds nobody.
  std::shared_ptr<HostUplinkState*> alive_ = std::make_shared<HostUplinkState*>(this);
};

}  // namespace capsa::network
