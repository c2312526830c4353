#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/network/flow_file.hpp>
#include <actors/network/port_capture.hpp>
#include <actors/network/vm_guard.hpp>
#include <actors/network/wire.hpp>
#include <map>
#include <memory>
#include <net/switch/switch.hpp>

namespace capsa::network {

/// The switch of a virtual network, and the wires to its ports. A port goes when the other end of
/// its wire does.
class NetSwitchState {
 public:
  static inline const char* name = "capsa.net_switch";
  using Self = protocol::SwitchUnit::base*;

  NetSwitchState(Self self, loop::EpollLoop& loop);

  protocol::SwitchUnit::behavior_type make_behavior();
  void on_exit();

 private:
  /// What goes to a port.
  class WireEgress final : public net::Egress {
   public:
    explicit WireEgress(Wire to) : wire(std::move(to)) {}
    std::size_t credit() const override { return wire.credit(); }
    void send(net::FrameBatch& batch) override { wire.send(batch); }
    net::Offloads offloads() const override { return wire.offloads(); }
    Wire wire;
  };
  struct Port {
    protocol::PortSpec spec;
    WireEgress egress;
    net::PortId id;
    std::unique_ptr<Capture> capture;
    std::unique_ptr<FlowFile> flows;
  };

  void plug(protocol::WireId wire, const protocol::PortSpec& spec,
            const protocol::WireEndActor& peer);
  void unplug(protocol::WireId wire);
  Port* find(protocol::WireId wire);
  caf::result<NetworkStats> stats(protocol::WireId wire);
  caf::result<void> set_policy(protocol::WireId wire, NetworkPolicy policy);
  caf::result<void> capture(protocol::WireId wire, UniqueFd file);
  caf::result<void> log_flows(protocol::WireId wire, UniqueFd file);
  static void stop_flow_log(Port& port);
  caf::error no_port() const;

  Self self_;
  loop::EpollLoop& loop_;
  net::Switch switch_;
  std::map<protocol::WireId, std::unique_ptr<Port>> ports_;
};

}  // namespace capsa::network
