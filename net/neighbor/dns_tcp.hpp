#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <net/dns/stub.hpp>
#include <net/dns/tcp_framing.hpp>
#include <net/neighbor/tcp_connection.hpp>
#include <optional>
#include <span>
#include <tuple>

namespace capsa::net::neighbor {

/// Counters since construction.
struct DnsTcpStats {
  std::uint64_t opened = 0;     ///< connections
  std::uint64_t refused = 0;    ///< connections beyond the caps
  std::uint64_t strays = 0;     ///< segments of no connection
  std::uint64_t questions = 0;  ///< handed to the stub
  std::uint64_t overflows = 0;  ///< connections that ask and do not take the answers
};

/// DNS over TCP at the gateway's addresses (RFC 7766), for a DnsStub: segments in, frames out. Each
/// guest has a few connections of bounded size, and nobody can take those of another but all of
/// them together. No sockets, no clock. Single-threaded.
class DnsTcp {
 public:
  using Time = TcpConnection::Time;
  using Output = TcpConnection::Output;

  static constexpr std::uint16_t kPort = 53;
  /// A resolver has one or two. Each may hold a message and kMaxBuffer: 140 KB.
  static constexpr std::size_t kMaxPerOwner = 8;
  static constexpr std::size_t kMaxTotal = 128;

  struct Options {
    std::uint16_t mtu = 1500;  ///< of the guests' IP
    /// Initial sequence numbers; std::random_device where empty.
    std::function<std::uint32_t()> random_isn;
  };

  /// `stub` outlives it.
  DnsTcp(dns::DnsStub& stub, Options options);
  DnsTcp(const DnsTcp&) = delete;
  DnsTcp& operator=(const DnsTcp&) = delete;

  /// A segment to our port, with a right checksum, to one MAC. `client` says who sent it and to
  /// which address; `connection` in it is not looked at.
  void on_segment(dns::Client client, std::span<const std::byte> frame, const Packet& packet,
                  Time now, const Output& out);
  /// StubHost::reply() to one of our clients. May be called from inside on_segment().
  void reply(const dns::Client& client, std::span<const std::byte> message, Time now,
             const Output& out);
  /// The guest has left: nobody is there to be told.
  void forget(std::uint64_t owner);

  std::optional<Time> next_deadline() const;
  void on_deadline(Time now, const Output& out);

  std::size_t connections() const noexcept { return connections_.size(); }
  const DnsTcpStats& stats() const noexcept { return stats_; }

 private:
  using Key = std::tuple<std::uint64_t, IpAddress, std::uint16_t, IpAddress>;
  struct Connection {
    std::uint64_t id;
    TcpConnection tcp;
    dns::TcpUnframer unframer;
    std::size_t pending = 0;  // questions that the stub will answer
  };
  using Connections = std::map<Key, Connection>;

  static Key key_of(const dns::Client& client);
  void open(const dns::Client& client, std::span<const std::byte> frame, const Packet& packet,
            Time now, const Output& out);
  void take(Connection& connection, const dns::Client& client, std::span<const std::byte> bytes,
            Time now);
  void go_on(Connection& connection, Time now, const Output& out);
  Connections::iterator let_go(Connections::iterator at);
  std::uint32_t fresh_isn();

  dns::DnsStub& stub_;
  Options options_;
  Connections connections_;
  std::uint64_t next_id_ = 1;
  bool asking_ = false;  // inside DnsStub::on_query()
  DnsTcpStats stats_;
};

}  // namespace capsa::net::neighbor
