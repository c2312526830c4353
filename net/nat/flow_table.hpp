#pragma once

#include <capsa/ip_address.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <net/nat/config.hpp>
#include <net/nat/verdict.hpp>
#include <net/packet/packet.hpp>
#include <optional>
#include <unordered_map>
#include <vector>

namespace capsa::net::nat {

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct FlowKey {
  Endpoint guest;
  Endpoint peer;
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

struct EndpointHash {
  std::size_t operator()(const Endpoint& endpoint) const noexcept {
    return std::hash<IpAddress>()(endpoint.address) * 31 + endpoint.port;
  }
  std::size_t operator()(const FlowKey& key) const noexcept {
    return (*this)(key.guest) * 0x9e3779b97f4a7c15U + (*this)(key.peer);
  }
};

/// Segment sizes of a connection through the NAT.
struct TcpFlow {
  static constexpr std::uint16_t kDefaultMss = 536;  ///< RFC 9293, 3.7.1, without the option
  std::uint16_t guest_mss = kDefaultMss;             ///< what the guest's own MTU allows
};

/// The flows of one guest, as long as libslirp has a socket for them: who may be answered, and how
/// many there may be. It learns of them from the frames that make them and from the descriptors
/// that are opened meanwhile. Everything in a frame of the guest is hostile; so is what comes from
/// outside. Pure; single-threaded.
class FlowTable {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  /// Peers that one UDP socket may be answered by. Of more, the one that was not talked to for the
  /// longest makes way.
  static constexpr std::size_t kPeers = 64;
  /// Before a ping that nobody answered makes way for a new one.
  static constexpr std::chrono::seconds kPingPatience{1};

  explicit FlowTable(const NatLimits& limits) : limits_(limits) {}

  // -- frames of the guest, that is sent to somebody
  /// Whether the frame belongs to a flow that exists.
  bool knows(const Packet& packet) const;
  /// Whether it would open a descriptor.
  bool opens(const Packet& packet) const;
  /// Whether a new flow is within the caps.
  Verdict admit(const Packet& packet) const;
  /// Notes it. Descriptors that are opened until end() belong to it. `mss` is what a SYN announces.
  void begin(const Packet& packet, TimePoint now, std::uint16_t mss = TcpFlow::kDefaultMss);
  void end() noexcept { current_.reset(); }

  // -- frames to the guest
  /// Whether somebody asked for it: TCP of a connection or from a forwarded port, UDP from whom the
  /// guest has sent to. TCP connections from outside are noted.
  bool expects(const Packet& packet);

  // -- descriptors
  void opened(int fd);
  void closing(int fd);
  /// A listening socket of TCP, or the socket of UDP at `guest`, which anybody may send to.
  void opened_forward(int fd, const std::optional<Endpoint>& guest_udp);

  TcpFlow* tcp(const FlowKey& key);
  /// The oldest ping without an answer, where it may make way.
  std::optional<int> impatient_ping(TimePoint now) const;

  std::size_t tcp_count() const noexcept { return tcp_.size() + accepted_.size(); }
  std::size_t udp_count() const noexcept { return udp_sockets_; }
  std::size_t forwards() const noexcept { return forwards_; }
  /// Descriptors, forwards not counted.
  std::size_t sockets() const noexcept { return tcp_count() + udp_sockets_ + pings_.size(); }
  /// Whether reading `fd` does not accept a connection over the cap.
  bool may_read(int fd) const;
  /// Whether `fd` listens for TCP.
  bool is_forward(int fd) const;

 private:
  struct UdpPort {
    std::size_t sockets = 0;
    std::size_t forwards = 0;     // of them
    std::vector<Endpoint> peers;  // the latest is last
    void remember(const Endpoint& peer);
    bool has(const Endpoint& peer) const;
  };
  struct Ping {
    int fd = -1;
    TimePoint since;
  };
  enum class Kind : std::uint8_t { Tcp, Accepted, Udp, Ping, TcpForward, UdpForward };
  struct Owner {
    Kind kind = Kind::Tcp;
    FlowKey key;
  };
  struct Current {
    Kind kind = Kind::Tcp;
    FlowKey key;
    std::uint16_t mss = 0;
    TimePoint now;
  };

  NatLimits limits_;
  std::unordered_map<FlowKey, TcpFlow, EndpointHash> tcp_;
  std::unordered_map<Endpoint, UdpPort, EndpointHash> udp_;
  std::deque<Ping> pings_;    // oldest first
  std::deque<int> accepted_;  // from outside, and their SYN to the guest is still to come
  std::unordered_map<int, Owner> owners_;
  std::size_t udp_sockets_ = 0;
  std::size_t forwards_ = 0;
  std::optional<Current> current_;
};

/// From the guest's frame, and from one to the guest.
inline FlowKey key_of_outgoing(const Packet& packet) {
  return {{packet.from, packet.from_port}, {packet.to, packet.to_port}};
}
inline FlowKey key_of_incoming(const Packet& packet) {
  return {{packet.to, packet.to_port}, {packet.from, packet.from_port}};
}

}  // namespace capsa::net::nat
