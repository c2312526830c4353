#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/protocol/internal.hpp>
#include <backends/vhost_user/server.hpp>
#include <backends/virtio/vsock/device.hpp>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace capsa::vsock_units {

/// The vsock device of one machine: carries bytes between the device's rings and whoever holds a
/// connection. What an endpoint may send is bounded by credit, what the guest may send by its own
/// (reported back as the endpoint takes it), so nothing here grows without limit.
class VsockState final : public vsock::Host {
 public:
  static inline const char* name = "capsa.vsock";
  using Self = protocol::VsockActor::base*;

  VsockState(Self self, loop::EpollLoop& loop, std::uint64_t guest_cid, UniqueFd socket);
  ~VsockState() override;

  protocol::VsockActor::behavior_type make_behavior();
  void on_exit();

 private:
  struct Connection {
    protocol::VsockEndpoint endpoint;
    std::deque<std::string> queue;  // for the guest, not yet taken by the device
    std::size_t taken = 0;          // of the first piece
    caf::response_promise connecting;
    Loop::TimerId timer = 0;
    bool receive_ends = false;  // what the endpoint asked for once the queue is empty
    bool send_ends = false;
  };
  using Connections = std::map<vsock::ConnectionKey, Connection>;

  caf::result<protocol::ConnectionId, std::uint64_t> connect(std::uint32_t port,
                                                             protocol::VsockEndpoint endpoint);
  void watch(const protocol::VsockEndpoint& endpoint);
  void on_endpoint_down(const caf::actor_addr& who);
  void pump(Connections::iterator it);
  void end_connecting(Connection& connection, const capsa::error& why);

  // -- vsock::Host
  bool accept(vsock::ConnectionKey key) override;
  void connected(vsock::ConnectionKey key) override;
  void data(vsock::ConnectionKey key, std::span<const std::span<const std::byte>> pieces,
            std::size_t total) override;
  void writable(vsock::ConnectionKey key, std::size_t room) override;
  void shutdown(vsock::ConnectionKey key, bool no_more_receive, bool no_more_send) override;
  void closed(vsock::ConnectionKey key, vsock::CloseReason reason) override;

  Self self_;
  loop::EpollLoop& loop_;
  std::map<std::uint32_t, protocol::VsockEndpoint> bound_;
  std::set<caf::actor_addr> monitored_;
  Connections connections_;
  std::unique_ptr<vsock::VsockDevice> device_;
  std::unique_ptr<vhost_user::Server> server_;
};

}  // namespace capsa::vsock_units
