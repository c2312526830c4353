#include <net/policy/flow_table.hpp>

namespace capsa::net {
namespace {

constexpr std::size_t kTcp = 0;
constexpr std::size_t kUdp = 1;
constexpr std::size_t kPing = 2;
constexpr std::array<std::size_t, 3> kCaps{FlowTable::kMaxTcp, FlowTable::kMaxUdp,
                                           FlowTable::kMaxPing};
/// A flood of new flows at a cap looks through the table so often, not for each of its packets.
constexpr std::chrono::milliseconds kLookForRoom{10};

std::size_t kind_of(const FlowKey& key) {
  if (key.ip_protocol == ip_protocol::kTcp) return kTcp;
  return key.ip_protocol == ip_protocol::kUdp ? kUdp : kPing;
}

std::chrono::seconds lifetime(const FlowKey& key, const Flow& flow) {
  if (kind_of(key) == kUdp) return FlowTable::kUdpIdle;
  if (kind_of(key) == kPing) return FlowTable::kPingIdle;
  switch (flow.state) {
    case FlowState::Opening:
      return FlowTable::kTcpOpening;
    case FlowState::Open:
      return FlowTable::kTcpIdle;
    case FlowState::Closing:
      return FlowTable::kTcpClosing;
    case FlowState::Closed:
      return FlowTable::kTcpClosed;
  }
  return FlowTable::kTcpClosed;
}

bool over(const FlowKey& key, const Flow& flow, TimePoint now) {
  return now - flow.last_seen >= lifetime(key, flow);
}

bool yields(const FlowKey& key, const Flow& flow, TimePoint now) {
  const auto idle = now - flow.last_seen;
  if (kind_of(key) == kUdp) return idle >= FlowTable::kUdpYields;
  if (kind_of(key) == kPing) return idle >= FlowTable::kPingYields;
  return flow.state == FlowState::Closed ||
         (flow.state == FlowState::Opening && idle >= FlowTable::kTcpOpeningYields);
}

void saw_tcp(Flow& flow, const Packet& packet, bool sent) {
  if ((packet.tcp_flags & tcp_flag::kRst) != 0) {
    flow.state = FlowState::Closed;
    return;
  }
  if ((packet.tcp_flags & tcp_flag::kFin) != 0) (sent ? flow.fin_sent : flow.fin_received) = true;
  if (flow.state == FlowState::Closed) return;
  if (flow.fin_sent && flow.fin_received) {
    flow.state = FlowState::Closed;
  } else if (flow.fin_sent || flow.fin_received) {
    flow.state = FlowState::Closing;
  } else if (flow.state == FlowState::Opening && sent == flow.from_outside) {
    flow.state = FlowState::Open;
  }
}

}  // namespace

FlowKey FlowKey::of_sent(const Packet& packet) noexcept {
  if (packet.is_icmp()) return {packet.protocol, packet.from, packet.to, packet.icmp_id, 0};
  return {packet.protocol, packet.from, packet.to, packet.from_port, packet.to_port};
}

FlowKey FlowKey::of_received(const Packet& packet) noexcept {
  if (packet.is_icmp()) return {packet.protocol, packet.to, packet.from, packet.icmp_id, 0};
  return {packet.protocol, packet.to, packet.from, packet.to_port, packet.from_port};
}

std::size_t FlowTable::Hash::operator()(const FlowKey& key) const noexcept {
  std::uint64_t value = std::hash<IpAddress>()(key.remote);
  value = value * 0x9e3779b97f4a7c15U + std::hash<IpAddress>()(key.local);
  value = value * 0x9e3779b97f4a7c15U + (std::uint64_t{key.local_port} << 32 |
                                         std::uint64_t{key.remote_port} << 8 | key.ip_protocol);
  return static_cast<std::size_t>(value ^ value >> 32);
}

Flow* FlowTable::find(const FlowKey& key, TimePoint now) {
  const auto at = flows_.find(key);
  if (at == flows_.end()) return nullptr;
  if (over(key, at->second, now)) {
    ++expired_;
    remove(at);
    return nullptr;
  }
  return &at->second;
}

Flow* FlowTable::open(const FlowKey& key, TimePoint now) {
  const std::size_t kind = kind_of(key);
  if (counts_[kind] >= kCaps[kind] && !make_room(kind, now)) {
    ++refused_;
    return nullptr;
  }
  Flow& flow = flows_[key];
  flow.last_seen = now;
  ++counts_[kind];
  ++opened_;
  return &flow;
}

void FlowTable::erase(const FlowKey& key) noexcept {
  const auto at = flows_.find(key);
  if (at != flows_.end()) remove(at);
}

void FlowTable::clear() noexcept {
  flows_.clear();
  counts_ = {};
}

void FlowTable::saw(Flow& flow, const Packet& packet, std::size_t frame_bytes, bool sent,
                    TimePoint now) noexcept {
  flow.last_seen = now;
  ++flow.packets;
  flow.bytes += frame_bytes;
  if (packet.is_tcp()) {
    saw_tcp(flow, packet, sent);
  } else if (sent == flow.from_outside) {
    flow.state = FlowState::Open;
  }
}

void FlowTable::sweep(TimePoint now) {
  for (auto at = flows_.begin(); at != flows_.end();) {
    if (!over(at->first, at->second, now)) {
      ++at;
      continue;
    }
    ++expired_;
    at = remove(at);
  }
}

FlowTable::Map::iterator FlowTable::remove(Map::iterator at) noexcept {
  --counts_[kind_of(at->first)];
  return flows_.erase(at);
}

bool FlowTable::make_room(std::size_t kind, TimePoint now) {
  if (looked_for_room_[kind] != TimePoint() && now - looked_for_room_[kind] < kLookForRoom)
    return false;
  looked_for_room_[kind] = now;
  sweep(now);
  if (counts_[kind] < kCaps[kind]) return true;
  // All at once: a flood pays for one look with many places.
  for (auto at = flows_.begin(); at != flows_.end();) {
    if (kind_of(at->first) != kind || !yields(at->first, at->second, now)) {
      ++at;
      continue;
    }
    ++evicted_;
    at = remove(at);
  }
  return counts_[kind] < kCaps[kind];
}

}  // namespace capsa::net
