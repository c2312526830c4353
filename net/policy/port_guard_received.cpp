#include <algorithm>
#include <net/policy/port_guard.hpp>
#include <net/policy/quoted_flow.hpp>

namespace capsa::net {
Decision PortGuard::judge_received(const Frame& frame) {
  const Packet& packet = frame.packet;
  if (is_service_answer(packet, config_.network)) return {};
  if (packet.fragment) return Decision::drop(DropReason::Fragment);
  if (packet.has_ip_options) return Decision::drop(DropReason::IpOptions);
  // The switch floods what it does not know; only what is for this VM is for it to answer.
  if (packet.destination_mac != config_.identity.mac ||
      !config_.identity.has(packet.to, config_.network)) {
    return Decision::drop(DropReason::BadTarget);
  }
  if (const auto quoted = quoted_flow(frame.bytes, packet, false)) {
    return flows_.find(*quoted, frame.now) != nullptr ? Decision{}
                                                      : Decision::drop(DropReason::NoFlow);
  }
  if (!packet.is_tcp() && !packet.is_udp() && !packet.is_echo_request() && !packet.is_echo_reply())
    return Decision::drop(DropReason::NoFlow);
  const FlowKey key = FlowKey::of_received(packet);
  Flow* flow = flows_.find(key, frame.now);
  if (flow == nullptr || (packet.is_syn() && flow->state == FlowState::Closed)) {
    const bool fresh = packet.is_tcp() ? packet.is_syn() : !packet.is_echo_reply();
    flows_.erase(key);
    flow = fresh && may_open(packet) ? flows_.open(key, frame.now) : nullptr;
    if (flow == nullptr) {
      Decision out = Decision::drop(DropReason::NoFlow);
      // So that the far side, and the NAT's descriptor for it, do not wait.
      if (auto reset = tcp_reset_for(frame.bytes, packet)) out.to_network = *std::move(reset);
      return out;
    }
    flow->from_outside = true;
    flow->verdict.allowed = true;
    flow->generation = generation_;
    if (on_flow_)
      tell_begin(key, true, true, {},
                 config_.network.is_peer(packet.from) ? "a peer" : "a port forward", frame.now);
  }
  Verdict verdict;
  if (!revise(frame, key, *flow, verdict)) return end_received(frame, key, verdict);
  FlowTable::saw(*flow, packet, frame.bytes.size(), false, frame.now);
  if (flow->conversation != nullptr && (packet.tcp_flags & tcp_flag::kAck) != 0 &&
      flow->conversation->finished_by(packet.tcp_acknowledgment)) {
    flow->conversation.reset();
  }
  return {};
}

/// Forwards, whoever comes, and peers: their own ports have judged them.
bool PortGuard::may_open(const Packet& packet) const noexcept {
  if (config_.network.is_peer(packet.from) && !config_.network.is_gateway(packet.from)) return true;
  const Protocol protocol = packet.is_tcp() ? Protocol::Tcp : Protocol::Udp;
  return !packet.is_icmp() &&
         std::any_of(config_.forwards.begin(), config_.forwards.end(),
                     [&](const ForwardedPort& forward) {
                       return forward == ForwardedPort{protocol, packet.to_port};
                     });
}

Decision PortGuard::end_received(const Frame& frame, const FlowKey& key, const Verdict& verdict) {
  const Packet& packet = frame.packet;
  const Flow* flow = flows_.find(key, frame.now);
  tell_denial(key, verdict, flow == nullptr ? std::string() : flow->carried, frame.now);
  flows_.erase(key);
  Decision out = Decision::drop(DropReason::Denied);
  if (auto abort = tcp_abort_for(packet, {packet.destination_mac, packet.source_mac})) {
    out.action = Decision::Action::Reject;
    out.to_guest = *std::move(abort);
  }
  if (auto reset = tcp_reset_for(frame.bytes, packet)) out.to_network = *std::move(reset);
  return out;
}

}  // namespace capsa::net
