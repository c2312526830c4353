#include <algorithm>
#include <net/neighbor/dns_tcp.hpp>
#include <random>
#include <utility>

namespace capsa::net::neighbor {

DnsTcp::DnsTcp(dns::DnsStub& stub, Options options) : stub_(stub), options_(std::move(options)) {}

DnsTcp::Key DnsTcp::key_of(const dns::Client& client) {
  return {client.owner, client.address, client.port, client.server};
}

std::uint32_t DnsTcp::fresh_isn() {
  if (options_.random_isn) return options_.random_isn();
  static thread_local std::random_device device;
  return device();
}

// -- from guests

void DnsTcp::on_segment(dns::Client client, std::span<const std::byte> frame, const Packet& packet,
                        Time now, const Output& out) {
  auto found = connections_.find(key_of(client));
  if (found != connections_.end() && found->second.tcp.is_closed()) {
    let_go(found);
    found = connections_.end();
  }
  if (found == connections_.end()) return open(client, frame, packet, now, out);
  Connection& connection = found->second;
  const auto bytes = connection.tcp.on_segment(frame, packet, now, out);
  if (!bytes.empty() && connection.tcp.is_closing()) {
    // Asked when we had said goodbye: a RST has it ask again (RFC 9293, 3.10.7.4).
    connection.tcp.abort(out);
  } else {
    client.connection = connection.id;
    take(connection, client, bytes, now);
  }
  go_on(connection, now, out);
  if (connection.tcp.is_closed()) let_go(found);
}

void DnsTcp::open(const dns::Client& client, std::span<const std::byte> frame, const Packet& packet,
                  Time now, const Output& out) {
  const auto mine = std::count_if(connections_.begin(), connections_.end(), [&](const auto& entry) {
    return std::get<0>(entry.first) == client.owner;
  });
  const bool full =
      connections_.size() >= kMaxTotal || static_cast<std::size_t>(mine) >= kMaxPerOwner;
  if (!packet.is_syn() || full) {
    ++(packet.is_syn() ? stats_.refused : stats_.strays);
    if (auto reset = tcp_reset_for(frame, packet)) out(*std::move(reset));
    return;
  }
  ++stats_.opened;
  TcpConnection::Options options;
  options.path = {{packet.source_mac, packet.destination_mac},
                  {packet.to, packet.from},
                  packet.to_port,
                  packet.from_port};
  options.mtu = options_.mtu;
  options.isn = fresh_isn();
  connections_.emplace(
      key_of(client),
      Connection{next_id_++, TcpConnection(options, frame, packet, now, out), {}, 0});
}

void DnsTcp::take(Connection& connection, const dns::Client& client,
                  std::span<const std::byte> bytes, Time now) {
  while (const auto message = connection.unframer.next(bytes)) {
    ++stats_.questions;
    connection.tcp.touch(now);
    // What it answers neither now nor later is malformed, or asked twice: only what is under way
    // is waited for.
    const auto before = stub_.under_way();
    asking_ = true;
    stub_.on_query(client, *message, now);
    asking_ = false;
    if (stub_.under_way() > before) ++connection.pending;
    if (connection.tcp.is_closed()) return;
  }
}

void DnsTcp::go_on(Connection& connection, Time now, const Output& out) {
  // A guest that has said all it had to say waits for the answers (RFC 7766, 6.2.4).
  if (connection.tcp.peer_has_closed() && connection.pending == 0) connection.tcp.close(now);
  connection.tcp.flush(now, out);
}

// -- to guests

void DnsTcp::reply(const dns::Client& client, std::span<const std::byte> message, Time now,
                   const Output& out) {
  const auto found = connections_.find(key_of(client));
  if (found == connections_.end() || found->second.id != client.connection) return;
  Connection& connection = found->second;
  if (!asking_ && connection.pending > 0) --connection.pending;
  if (connection.tcp.is_closing()) return;
  if (!connection.tcp.send(dns::frame_for_tcp(message), now)) {
    // Its entry stays until the stub can be called: it is the one that calls.
    ++stats_.overflows;
    connection.tcp.abort(out);
    return;
  }
  // Answers that come at once leave together.
  if (!asking_) go_on(connection, now, out);
}

DnsTcp::Connections::iterator DnsTcp::let_go(Connections::iterator at) {
  const auto id = at->second.id;
  const bool waits = at->second.pending > 0;
  const auto next = connections_.erase(at);
  if (waits)
    stub_.forget([id](const dns::Client& client) {
      return client.transport == dns::Transport::Tcp && client.connection == id;
    });
  return next;
}

void DnsTcp::forget(std::uint64_t owner) {
  for (auto at = connections_.begin(); at != connections_.end();)
    at = std::get<0>(at->first) == owner ? let_go(at) : std::next(at);
}

// -- time

std::optional<DnsTcp::Time> DnsTcp::next_deadline() const {
  std::optional<Time> next;
  for (const auto& [key, connection] : connections_) {
    const auto due = connection.tcp.next_deadline();
    if (!next || due < *next) next = due;
  }
  return next;
}

void DnsTcp::on_deadline(Time now, const Output& out) {
  for (auto at = connections_.begin(); at != connections_.end();) {
    at->second.tcp.on_deadline(now, out);
    at = at->second.tcp.is_closed() ? let_go(at) : std::next(at);
  }
}

}  // namespace capsa::net::neighbor
