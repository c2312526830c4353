#pragma once

#include <backends/vhost_user/session.hpp>
#include <backends/virtio/link.hpp>
#include <capsa/loop.hpp>
#include <map>

namespace capsa::vhost_user {

/// Serves one device over one connected vhost-user socket, on a loop: receives messages with their
/// descriptors, watches the kicks. All calls and callbacks on the loop's thread.
class Server final : public virtio::DeviceLink, private SessionHost {
 public:
  /// `socket` is a connected unix stream socket. `on_closed` has no error where the peer hung up
  /// between two messages, which is how a hypervisor ends. `loop` and `device` outlive the server,
  /// and the device its own reset.
  Server(Loop& loop, UniqueFd socket, virtio::Device& device, OnClosed on_closed);
  /// Ends at once; a running device is reset and may still be coming to rest (close() waits).
  ~Server() override;

  /// Hangs up. `done` is called once the device is at rest.
  void close(std::function<void()> done) override;

  /// Whether the device is active.
  bool running() const noexcept { return session_.running(); }

 private:
  // -- SessionHost
  void send(std::span<const std::byte> bytes) override;
  void watch_kick(virtio::QueueIndex queue, int fd) override;
  void unwatch_kick(virtio::QueueIndex queue) override;
  void want_input(bool wanted) override;
  void failed(error why) override;

  // -- the socket
  void on_ready(std::uint32_t events);
  void receive();
  void flush();
  void rearm();
  void hang_up();
  void end(result<void> outcome);
  void at_rest(result<void> outcome);

  Loop& loop_;
  UniqueFd socket_;
  OnClosed on_closed_;
  std::vector<std::byte> outgoing_;
  bool input_wanted_ = true;
  bool ending_ = false;
  bool at_rest_ = false;
  std::map<virtio::QueueIndex, int> kicks_;
  std::vector<std::function<void()>> on_rest_;  // waiting for a close that is under way
  std::shared_ptr<Server*> self_;               // emptied by the destructor
  Session session_;                             // last: its destructor calls the ones above
};

}  // namespace capsa::vhost_user
