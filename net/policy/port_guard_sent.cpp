#include <net/policy/port_guard.hpp>
#include <net/policy/quoted_flow.hpp>

namespace capsa::net {
namespace {

using State = HelloInspector::State;

/// A packet of QUIC with a long header, as every flow of it begins (RFC 9000, 17.2): versions 1 and
/// 2, and drafts.
bool looks_like_quic(std::span<const std::byte> payload) {
  if (payload.size() < 5 || (std::to_integer<unsigned>(payload[0]) & 0xc0) != 0xc0) return false;
  std::uint32_t version = 0;
  for (std::size_t i = 1; i < 5; ++i)
    version = version << 8 | std::to_integer<std::uint32_t>(payload[i]);
  return version == 1 || version == 0x6b3343cf || version >> 8 == 0xff0000;
}

std::string name_of(const Flow& flow) {
  if (!flow.carried.empty()) return flow.carried;
  return flow.names.empty() ? std::string() : flow.names.front();
}

}  // namespace

Decision PortGuard::judge_sent(const Frame& frame) {
  const Packet& packet = frame.packet;
  const auto problem = check_sent(packet, config_.identity, config_.network);
  if (problem != DropReason::None) return Decision::drop(problem);
  if (is_service_request(packet, config_.network)) return {};
  if (const auto quoted = quoted_flow(frame.bytes, packet, true)) {
    return flows_.find(*quoted, frame.now) != nullptr ? Decision{}
                                                      : Decision::drop(DropReason::NoFlow);
  }
  const FlowKey key = FlowKey::of_sent(packet);
  if (packet.is_tcp() || packet.is_udp() || packet.is_echo_request() || packet.is_echo_reply()) {
    Flow* flow = flows_.find(key, frame.now);
    // A SYN to a flow that is there is a new connection, and says its name anew; but for one that
    // waits for its answer.
    if (flow != nullptr && packet.is_syn() && !flow->from_outside &&
        (flow->state != FlowState::Opening || flow->first_sequence != packet.tcp_sequence)) {
      flows_.erase(key);
      flow = nullptr;
    }
    if (flow != nullptr) return go_on_sent(frame, key, *flow);
    if (packet.is_echo_reply()) return Decision::drop(DropReason::NoFlow);
    return open_sent(frame, key);
  }
  Verdict verdict;
  verdict.builtin = Builtin::NoTransport;
  tell_denial(key, verdict, {}, frame.now);
  return refuse_sent(frame, DropReason::Denied);
}

Decision PortGuard::open_sent(const Frame& frame, const FlowKey& key) {
  const Packet& packet = frame.packet;
  // Of a connection that is over or was denied, or of before the guard: an end, but no event.
  if (packet.is_tcp() && !packet.is_syn()) return refuse_sent(frame, DropReason::NoFlow);
  Flow fresh;
  fresh.names = pins_.names_of(key.remote.embedded_v4().value_or(key.remote), frame.now);
  fresh.verdict = judge_names(key, fresh);
  if (fresh.verdict.is_logged()) tell_flow(key, fresh.verdict, name_of(fresh), frame.now);
  if (!fresh.verdict.allowed) {
    tell_denial(key, fresh.verdict, name_of(fresh), frame.now);
    return refuse_sent(frame, DropReason::Denied);
  }
  Flow* flow = flows_.open(key, frame.now);
  if (flow == nullptr) {
    Verdict full;
    full.builtin = Builtin::TooManyFlows;
    tell_denial(key, full, name_of(fresh), frame.now);
    return refuse_sent(frame, DropReason::Denied);
  }
  *flow = std::move(fresh);
  flow->generation = generation_;
  if (on_flow_)
    tell_begin(key, true, false, name_of(*flow), describe(flow->verdict, config_.policy),
               frame.now);
  if (packet.is_tcp()) {
    flow->first_sequence = packet.tcp_sequence;
    flow->conversation = std::make_unique<Conversation>(packet.tcp_sequence + 1, held_);
  }
  return go_on_sent(frame, key, *flow);
}

Decision PortGuard::go_on_sent(const Frame& frame, const FlowKey& key, Flow& flow) {
  const Packet& packet = frame.packet;
  Verdict verdict;
  if (!revise(frame, key, flow, verdict)) return end_sent(frame, key, verdict);
  if (packet.is_udp() && flow.verdict.by_name && !flow.from_outside &&
      looks_like_quic(packet.payload_of(frame.bytes))) {
    verdict.builtin = Builtin::Quic;
    return end_sent(frame, key, verdict);
  }
  if (flow.conversation != nullptr) {
    const Decision decision = look_at_name(frame, key, flow);
    if (!decision.forwards()) return decision;
  }
  FlowTable::saw(flow, packet, frame.bytes.size(), true, frame.now);
  return {};
}

Decision PortGuard::look_at_name(const Frame& frame, const FlowKey& key, Flow& flow) {
  const Packet& packet = frame.packet;
  const auto payload = packet.payload_of(frame.bytes);
  const bool needed = flow.verdict.by_name || denies_by_name_;
  if (payload.empty()) return {};
  Verdict problem;
  problem.builtin = Builtin::BadHello;
  // Urgent data is no part of the stream to some readers (RFC 6093).
  const bool urgent = (packet.tcp_flags & tcp_flag::kUrg) != 0;
  if (urgent && flow.hello == State::NeedMore && needed) return end_sent(frame, key, problem);
  if (held_ + payload.size() > kMaxHeldBytes && flow.hello == State::NeedMore) {
    if (!needed) {
      flow.conversation.reset();
      return {};
    }
    problem.builtin = Builtin::TooManyFlows;
    return end_sent(frame, key, problem);
  }
  const std::uint32_t sequence =
      packet.tcp_sequence + ((packet.tcp_flags & tcp_flag::kSyn) != 0 ? 1 : 0);
  switch (flow.conversation->sent(sequence, payload)) {
    case Conversation::Step::Drop:
      if (needed) return Decision::drop(DropReason::OutOfOrder);
      flow.conversation.reset();  // seen with a hole in it: nobody vouches for a name
      return {};
    case Conversation::Step::Differ:
      if (needed) return end_sent(frame, key, problem);
      flow.conversation.reset();
      flow.hello = State::NeedMore;
      flow.carried.clear();
      return {};
    case Conversation::Step::Pass:
      break;
  }
  const HelloInspector& inspector = flow.conversation->inspector();
  if (flow.hello != State::NeedMore || inspector.state() == State::NeedMore) return {};
  flow.hello = inspector.state();
  flow.hidden_name = inspector.has_ech();
  flow.carried = inspector.name();
  Verdict verdict = judge_names(key, flow);
  if (verdict.allowed) {
    verdict.builtin = name_problem(key, flow);
    verdict.allowed = verdict.builtin == Builtin::None;
  }
  return verdict.allowed ? Decision{} : end_sent(frame, key, verdict);
}

Decision PortGuard::refuse_sent(const Frame& frame, DropReason reason) {
  auto answer = refusal_for(frame.bytes, frame.packet);
  if (!answer) return Decision::drop(reason);
  return {Decision::Action::Reject, reason, *std::move(answer), {}};
}

Decision PortGuard::end_sent(const Frame& frame, const FlowKey& key, const Verdict& verdict) {
  const Flow* flow = flows_.find(key, frame.now);
  tell_denial(key, verdict, flow == nullptr ? std::string() : name_of(*flow), frame.now);
  flows_.erase(key);
  Decision out = refuse_sent(frame, DropReason::Denied);
  if (auto abort =
          tcp_abort_for(frame.packet, {frame.packet.destination_mac, frame.packet.source_mac})) {
    out.to_network = *std::move(abort);
  }
  return out;
}

}  // namespace capsa::net
