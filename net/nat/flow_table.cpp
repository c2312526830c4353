#include <algorithm>
#include <net/nat/flow_table.hpp>

namespace capsa::net::nat {

void FlowTable::UdpPort::remember(const Endpoint& peer) {
  // Most often it is the latest.
  if (!peers.empty() && peers.back() == peer) return;
  const auto at = std::find(peers.begin(), peers.end(), peer);
  if (at != peers.end())
    peers.erase(at);
  else if (peers.size() == kPeers)
    peers.erase(peers.begin());
  peers.push_back(peer);
}

bool FlowTable::UdpPort::has(const Endpoint& peer) const {
  return std::find(peers.rbegin(), peers.rend(), peer) != peers.rend();
}

bool FlowTable::knows(const Packet& packet) const {
  const FlowKey key = key_of_outgoing(packet);
  if (packet.is_tcp()) return tcp_.contains(key);
  if (!packet.is_udp()) return false;
  const auto at = udp_.find(key.guest);
  return at != udp_.end() && at->second.has(key.peer);
}

bool FlowTable::opens(const Packet& packet) const {
  if (packet.is_tcp()) return packet.is_syn() && !tcp_.contains(key_of_outgoing(packet));
  if (packet.is_udp()) return !udp_.contains(key_of_outgoing(packet).guest);
  return true;
}

Verdict FlowTable::admit(const Packet& packet) const {
  if (!opens(packet)) return Verdict::Pass;
  if (packet.is_tcp()) return tcp_count() < limits_.tcp ? Verdict::Pass : Verdict::TcpLimit;
  if (packet.is_udp()) return udp_sockets_ < limits_.udp ? Verdict::Pass : Verdict::UdpLimit;
  return pings_.size() < limits_.pings ? Verdict::Pass : Verdict::PingLimit;
}

void FlowTable::begin(const Packet& packet, TimePoint now, std::uint16_t mss) {
  const FlowKey key = key_of_outgoing(packet);
  const Kind kind = packet.is_tcp() ? Kind::Tcp : packet.is_udp() ? Kind::Udp : Kind::Ping;
  current_ = Current{kind, key, mss, now};
  constexpr std::uint8_t kSynAck = tcp_flag::kSyn | tcp_flag::kAck;
  if (kind == Kind::Tcp && (packet.tcp_flags & kSynAck) == kSynAck) {
    // The guest answers a connection from outside.
    if (TcpFlow* flow = tcp(key)) flow->guest_mss = mss;
  }
  if (kind != Kind::Udp) return;
  const auto at = udp_.find(key.guest);
  if (at != udp_.end()) at->second.remember(key.peer);
}

bool FlowTable::expects(const Packet& packet) {
  const FlowKey key = key_of_incoming(packet);
  if (packet.is_udp()) {
    const auto at = udp_.find(key.guest);
    if (at == udp_.end()) return false;
    if (at->second.has(key.peer)) return true;
    if (at->second.forwards == 0) return false;
    at->second.remember(key.peer);
    return true;
  }
  // libslirp resets what it has no connection for.
  if (!packet.is_tcp() || tcp_.contains(key) || (packet.tcp_flags & tcp_flag::kRst) != 0)
    return true;
  if (!packet.is_syn() || accepted_.empty()) return false;
  const int fd = accepted_.front();
  accepted_.pop_front();
  tcp_.emplace(key, TcpFlow{});
  owners_[fd] = {Kind::Tcp, key};
  return true;
}

void FlowTable::opened(int fd) {
  if (!current_) {
    // Only accept(2) opens one without a frame of the guest.
    owners_[fd] = {Kind::Accepted, {}};
    accepted_.push_back(fd);
    return;
  }
  owners_[fd] = {current_->kind, current_->key};
  switch (current_->kind) {
    case Kind::Udp: {
      ++udp_sockets_;
      UdpPort& port = udp_[current_->key.guest];
      ++port.sockets;
      port.remember(current_->key.peer);
      break;
    }
    case Kind::Ping:
      pings_.push_back({fd, current_->now});
      break;
    default:
      tcp_.try_emplace(current_->key, TcpFlow{current_->mss});
      break;
  }
}

void FlowTable::opened_forward(int fd, const std::optional<Endpoint>& guest_udp) {
  ++forwards_;
  owners_[fd] = {guest_udp ? Kind::UdpForward : Kind::TcpForward,
                 {guest_udp.value_or(Endpoint{}), {}}};
  if (!guest_udp) return;
  UdpPort& port = udp_[*guest_udp];
  ++port.sockets;
  ++port.forwards;
}

void FlowTable::closing(int fd) {
  const auto owner = owners_.find(fd);
  if (owner == owners_.end()) return;
  const auto [kind, key] = owner->second;
  owners_.erase(owner);
  switch (kind) {
    case Kind::Tcp:
      tcp_.erase(key);
      break;
    case Kind::Accepted:
      std::erase(accepted_, fd);
      break;
    case Kind::Ping:
      std::erase_if(pings_, [fd](const Ping& ping) { return ping.fd == fd; });
      break;
    case Kind::TcpForward:
      --forwards_;
      break;
    case Kind::Udp:
    case Kind::UdpForward: {
      const auto at = udp_.find(key.guest);
      if (kind == Kind::UdpForward) {
        --forwards_;
        --at->second.forwards;
      } else {
        --udp_sockets_;
      }
      if (--at->second.sockets == 0) udp_.erase(at);
      break;
    }
  }
}

bool FlowTable::may_read(int fd) const {
  return tcp_count() < limits_.tcp || !is_forward(fd);
}

bool FlowTable::is_forward(int fd) const {
  if (forwards_ == 0) return false;
  const auto owner = owners_.find(fd);
  return owner != owners_.end() && owner->second.kind == Kind::TcpForward;
}

TcpFlow* FlowTable::tcp(const FlowKey& key) {
  const auto at = tcp_.find(key);
  return at == tcp_.end() ? nullptr : &at->second;
}

std::optional<int> FlowTable::impatient_ping(TimePoint now) const {
  if (pings_.empty() || now - pings_.front().since < kPingPatience) return std::nullopt;
  return pings_.front().fd;
}

}  // namespace capsa::net::nat
