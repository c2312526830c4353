#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/protocol/device_link.hpp>
#include <actors/protocol/internal.hpp>
#include <actors/vsock/pieces.hpp>
#include <backends/virtio/vsock/device.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace capsa::vsock_units {

/// The vsock device of one machine: carries bytes between the device's rings and whoever holds a
/// connection. What an endpoint may send is bounded by credit, what the guest may send by its own
/// (reported back as the endpoint takes it), so nothing here grows without limit.
class VsockState final : public vsock::Host {
 public:
  static inline const char* name = "capsa.vsock";
  using Self = protocol::VsockActor::base*;

  VsockState(Self self, loop::EpollLoop& loop, std::uint64_t guest_cid,
             const protocol::LinkDevice& link);
  ~VsockState() override;

  protocol::VsockActor::behavior_type make_behavior();
  void on_exit();

 private:
  struct Connection {
    /// Counted, never used twice: the guest may use its ports again while an endpoint still has the
    /// last connection's data.
    protocol::ConnectionId id = 0;
    protocol::VsockEndpoint endpoint;
    Pieces queue;       // for the guest, not yet taken by the device; bounded by kSendCredit
    std::string inbox;  // of the guest in this turn of the device
    caf::response_promise connecting;
    Loop::TimerId timer = 0;
    bool receive_ends = false;  // what the endpoint asked for once the queue is empty
    bool send_ends = false;
    bool guest_deaf = false;  // receives no more
  };
  using Connections = std::map<vsock::ConnectionKey, Connection>;

  /// Who takes the guest's connections to a port.
  struct Bound {
    protocol::VsockEndpoint endpoint;
    /// Connections that are still in its mailbox; shared with the answers to come.
    std::shared_ptr<std::size_t> unheard = std::make_shared<std::size_t>(0);
  };

  caf::result<protocol::ConnectionId, std::uint64_t> connect(std::uint32_t port,
                                                             protocol::VsockEndpoint endpoint);
  void watch(const protocol::VsockEndpoint& endpoint);
  void on_endpoint_down(const caf::actor_addr& who);
  Connection& add(vsock::ConnectionKey key, protocol::VsockEndpoint endpoint);
  Connections::iterator find(protocol::ConnectionId id);
  void forget(Connections::iterator it);
  void pump(Connections::iterator it);
  void hand_on(Connection& connection);
  void tell_end(Connection& connection, std::string why);
  void end_connecting(Connection& connection, const capsa::error& why);

  // -- vsock::Host
  bool accept(vsock::ConnectionKey key) override;
  void connected(vsock::ConnectionKey key) override;
  void data(vsock::ConnectionKey key, std::span<const std::span<const std::byte>> pieces,
            std::size_t total) override;
  void writable(vsock::ConnectionKey key, std::size_t room) override;
  void shutdown(vsock::ConnectionKey key, bool no_more_receive, bool no_more_send) override;
  void closed(vsock::ConnectionKey key, vsock::CloseReason reason) override;
  void processed(bool more) override;

  Self self_;
  loop::EpollLoop& loop_;
  std::map<std::uint32_t, Bound> bound_;
  std::set<caf::actor_addr> monitored_;
  Connections connections_;
  std::unordered_map<protocol::ConnectionId, vsock::ConnectionKey> keys_;
  std::uint32_t next_id_ = 1;  // after four thousand million connections it begins anew
  std::vector<vsock::ConnectionKey> heard_;     // those with an inbox
  std::shared_ptr<vsock::VsockDevice> device_;  // what is posted holds it weakly
  std::shared_ptr<virtio::DeviceLink> link_;
};

}  // namespace capsa::vsock_units
