#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/network/wire.hpp>
#include <memory>
#include <net/tap/tap.hpp>

namespace capsa::bench {

/// A TAP interface at the end of a wire to a switch, where a VM has its card. Reads only what the
/// wire takes, as a card does.
class TapCardState final : private net::FrameReceiver {
 public:
  static inline const char* name = "capsa.bench.tap_card";
  using Self = protocol::WireEndActor::base*;

  TapCardState(Self self, loop::EpollLoop& loop, protocol::WireId wire,
               std::shared_ptr<const protocol::PortSpec> port, net::TapDevice device,
               protocol::SwitchUnit to);

  protocol::WireEndActor::behavior_type make_behavior();
  void on_exit();

 private:
  // -- net::FrameReceiver
  void receive(net::FrameBatch batch) override { wire_.send(batch); }
  void credit_available() override {}
  net::Offloads offloads() const override { return wire_.offloads(); }

  void on_ready(std::uint32_t events);
  void rearm();

  Self self_;
  loop::EpollLoop& loop_;
  protocol::SwitchUnit switch_;
  network::Wire wire_;
  std::unique_ptr<net::Tap> tap_;
};

}  // namespace capsa::bench
