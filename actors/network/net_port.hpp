#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/network/wire.hpp>
#include <actors/protocol/device_link.hpp>
#include <backends/virtio/net/device.hpp>
#include <memory>

namespace capsa::network {

/// What a VM's card needs.
struct NetPortPlan {
  virtio::nic::NetConfig card;
  protocol::WireId wire = 0;
  protocol::PortSpec port;
};

/// One network card of a running machine: its device, what drives it, and its end of the wire to a
/// switch. Asked to end it first brings the device to rest, as a share does.
class NetPortState final : private net::FramePort {
 public:
  static inline const char* name = "capsa.net_port";
  using Self = protocol::NetPortUnit::base*;

  NetPortState(Self self, loop::EpollLoop& loop, NetPortPlan plan, protocol::SwitchUnit to,
               const protocol::LinkDevice& link);
  ~NetPortState() override;

  protocol::NetPortUnit::behavior_type make_behavior();
  void on_exit();

 private:
  // -- net::FramePort: what the device sends
  void attach(net::FrameReceiver* receiver) override { receiver_ = receiver; }
  std::size_t credit() const override { return wire_.credit(); }
  std::size_t send(net::FrameBatch& batch) override;
  /// The switch does what is left to be done for whoever receives.
  net::Offloads offloads() const override;

  void go_on_later();
  void on_closed(const result<void>& end);
  void on_exit_message(caf::exit_msg& message);

  Self self_;
  loop::EpollLoop& loop_;
  protocol::SwitchUnit switch_;
  Wire wire_;
  net::FrameReceiver* receiver_ = nullptr;
  std::shared_ptr<virtio::nic::NetDevice> device_;
  std::shared_ptr<virtio::DeviceLink> link_;
  bool at_rest_ = false;
  bool closing_ = false;
  Loop::TimerId deserted_ = 0;  // the machine hung up, and may be about to end
  // Expires with this: what is called back late finds nobody.
  std::shared_ptr<NetPortState*> alive_ = std::make_shared<NetPortState*>(this);
};

}  // namespace capsa::network
