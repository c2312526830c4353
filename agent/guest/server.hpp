#pragma once

#include <agent/guest/connection.hpp>
#include <list>
#include <memory>

namespace capsa::agent::guest {

/// Takes connections and serves them, several at once.
class Server {
 public:
  Server(Loop& loop, Services& services) : loop_(loop), services_(services) {}
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Serves a connected socket. `on_closed` may be empty.
  void serve(UniqueFd socket, std::function<void()> on_closed = nullptr);
  /// Accepts on a listening socket for good. A vsock listener takes connections of the host only:
  /// a program in the guest must not get root by way of a loopback.
  void listen(UniqueFd socket);
  /// Finishes a connect(2) that was begun without blocking, then serves it. A refusal is the end
  /// of it: the host connects when it wants us.
  void serve_when_connected(UniqueFd socket);

 private:
  void accept_all(int listener);

  static constexpr std::size_t kMaxConnections = 64;

  Loop& loop_;
  Services& services_;
  std::list<std::unique_ptr<Connection>> connections_;
  std::list<UniqueFd> listeners_;
  std::list<UniqueFd> connecting_;
};

/// Listening sockets; an invalid fd and errno on failure.
UniqueFd listen_vsock(std::uint32_t port);
UniqueFd listen_unix(const std::string& path);
/// Begins to connect to the host's `port`, from a port of ours below 1024. Any program of the guest
/// may connect to the host; such a port tells it that this is the agent, as it takes
/// CAP_NET_BIND_SERVICE to have one.
UniqueFd connect_vsock_host(std::uint32_t port);

}  // namespace capsa::agent::guest
