#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/protocol/internal.hpp>
#include <actors/vsock/backlog.hpp>
#include <actors/vsock/pieces.hpp>
#include <capsa/config.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>

namespace capsa::vsock_units {

/// One configured port: its unix socket, and the streams between connections on it and the guest's.
/// Each stream is held back by its slower side; one that stands still holds up no other.
class PortState {
 public:
  static inline const char* name = "capsa.vsock-port";
  using Self = protocol::VsockPort::base*;

  /// `listener` listens already on config.socket_path, non-blocking.
  PortState(Self self, loop::EpollLoop& loop, protocol::VsockActor vsock, VsockPortConfig config,
            UniqueFd listener);
  ~PortState();

  protocol::VsockPort::behavior_type make_behavior();
  void on_exit();

 private:
  /// One connection of the host. Watched once it has its counterpart in the guest.
  struct Stream {
    UniqueFd fd;
    protocol::ConnectionId id = 0;
    std::uint64_t credit = 0;  // bytes that may go to the guest
    Pieces queue;              // for the host; bounded by the guest's credit
    bool host_done = false;    // sends no more
    bool guest_done = false;   // sends no more
    bool guest_deaf = false;   // receives no more
    bool closing = false;      // gone in the guest: ends when the queue is empty
    bool watched = false;
  };
  using StreamPtr = std::shared_ptr<Stream>;

  /// Somebody on the host who waits for a connection of the guest.
  struct Taker {
    UniqueFd fd;  // our end
    UniqueFd theirs;
    caf::response_promise promise;  // where `theirs` goes, if it is not a client of the unix socket
    Loop::TimerId timer = 0;        // until it has waited long enough
  };

  void on_client();
  void dial(UniqueFd ours, UniqueFd theirs, caf::response_promise promise);
  void take(Taker taker);
  void give_up(Loop::TimerId timer);
  void pair();
  void begin(UniqueFd ours, protocol::ConnectionId id, std::uint64_t credit);
  StreamPtr find(protocol::ConnectionId id) const;

  void on_ready(const StreamPtr& stream, std::uint32_t events);
  void read_host(Stream& stream);
  void write_host(Stream& stream);
  void update(const StreamPtr& stream);
  void end(Stream& stream);

  Self self_;
  loop::EpollLoop& loop_;
  protocol::VsockActor vsock_;
  VsockPortConfig config_;
  UniqueFd listener_;
  Loop::TimerId pause_ = 0;  // until accept(2) is tried again
  std::map<protocol::ConnectionId, StreamPtr> streams_;

  // Of a listening port: connections of the guest that nobody took yet, and takers that wait for
  // one.
  Backlog untaken_;
  std::deque<Taker> takers_;
};

/// A listening unix socket at `path`; a socket file that nobody listens on any more is replaced.
result<UniqueFd> listen_at(const std::filesystem::path& path);

}  // namespace capsa::vsock_units
