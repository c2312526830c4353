#include <algorithm>
#include <net/policy/port_guard.hpp>

namespace capsa::net {
namespace {

/// Denials that are remembered so as not to be told again: what a guest asks for at a time.
constexpr std::size_t kMaxTold = 64;

}  // namespace

PortGuard::PortGuard(GuardConfig config)
    : config_(std::move(config)),
      dns_(config_.policy, config_.network, pins_, denials_, log_),
      denies_by_name_(denies_by_name(config_.policy)) {}

Decision PortGuard::on_guest_frame(std::span<const std::byte> frame, TimePoint now) {
  return judge_whole(frame, now, &PortGuard::judge_sent, stats_.forwarded_out);
}

Decision PortGuard::on_frame_to_guest(std::span<const std::byte> frame, TimePoint now) {
  return judge_whole(frame, now, &PortGuard::judge_received, stats_.forwarded_in);
}

Decision PortGuard::judge_whole(std::span<const std::byte> frame, TimePoint now,
                                Decision (PortGuard::*judge)(const Frame&),
                                std::uint64_t& forwarded) {
  const auto parsed = parse(frame);
  const auto* problem = std::get_if<ParseProblem>(&parsed);
  if (problem != nullptr) ++stats_.unparsable[static_cast<std::size_t>(*problem)];
  Decision out = problem != nullptr ? Decision::drop(DropReason::Unparsable)
                                    : (this->*judge)({frame, std::get<Packet>(parsed), now});
  ++(out.forwards() ? forwarded : stats_.dropped[static_cast<std::size_t>(out.reason)]);
  return out;
}

void PortGuard::set_policy(NetworkPolicy policy) {
  config_.policy = std::move(policy);
  denies_by_name_ = denies_by_name(config_.policy);
  ++generation_;
  told_.clear();
  next_told_ = 0;
}

void PortGuard::set_host_addresses(std::vector<IpAddress> addresses) {
  // Told every few seconds: live flows are judged anew, and logged, where something has changed.
  if (addresses == config_.network.host_addresses) return;
  config_.network.host_addresses = std::move(addresses);
  ++generation_;
}

void PortGuard::reset() {
  flows_.clear();
  pins_.clear();
  told_.clear();
  next_told_ = 0;
}

Verdict PortGuard::judge_names(const FlowKey& key, const Flow& flow) const {
  FlowFacts facts{Protocol::Icmp, key.remote, key.remote_port, &flow.names};
  if (key.ip_protocol == ip_protocol::kTcp) facts.protocol = Protocol::Tcp;
  if (key.ip_protocol == ip_protocol::kUdp) facts.protocol = Protocol::Udp;
  Verdict verdict = judge(config_.policy, config_.network, facts);
  const bool new_name = !flow.carried.empty() && std::find(flow.names.begin(), flow.names.end(),
                                                           flow.carried) == flow.names.end();
  if (!verdict.allowed || !new_name || !denies_by_name_) return verdict;
  // A name that the flow carries is one that it can be denied for; to be allowed for it, the
  // address must have been an answer to the question for it.
  std::vector<std::string> all = flow.names;
  all.push_back(flow.carried);
  facts.names = &all;
  Verdict with_carried = judge(config_.policy, config_.network, facts);
  return with_carried.allowed ? verdict : with_carried;
}

Builtin PortGuard::name_problem(const FlowKey& key, const Flow& flow) const {
  using State = HelloInspector::State;
  if (key.ip_protocol != ip_protocol::kTcp || flow.from_outside) return Builtin::None;
  if (!flow.verdict.by_name) {
    return flow.hello == State::Malformed && denies_by_name_ ? Builtin::BadHello : Builtin::None;
  }
  switch (flow.hello) {
    case State::NeedMore:
      // Nobody looked, because this flow was none that needs a name, or there was no room.
      return flow.conversation == nullptr ? Builtin::NameMissing : Builtin::None;
    case State::Malformed:
      return Builtin::BadHello;
    case State::Other:
      // Protocols without names are what an address is allowed for, but not at the ports of those
      // that have some.
      return key.remote_port == 443 || key.remote_port == 80 ? Builtin::BadHello : Builtin::None;
    case State::Tls:
    case State::Http:
      break;
  }
  if (flow.hidden_name && !config_.allow_ech) return Builtin::NameHidden;
  if (flow.carried.empty()) return Builtin::NameMissing;
  const auto& names = flow.verdict.names;
  return std::find(names.begin(), names.end(), flow.carried) == names.end() ? Builtin::NameMismatch
                                                                            : Builtin::None;
}

bool PortGuard::revise(const Frame& frame, const FlowKey& key, Flow& flow, Verdict& verdict) {
  if (flow.generation == generation_) return true;
  flow.generation = generation_;
  if (flow.from_outside) return true;
  flow.verdict = judge_names(key, flow);
  verdict = flow.verdict;
  if (verdict.allowed) {
    verdict.builtin = name_problem(key, flow);
    verdict.allowed = verdict.builtin == Builtin::None;
  }
  if (verdict.is_logged()) tell_flow(key, verdict, flow.carried, frame.now);
  return verdict.allowed;
}

void PortGuard::tell_denial(const FlowKey& key, const Verdict& verdict, std::string name,
                            TimePoint now) {
  const auto same = std::find_if(told_.begin(), told_.end(), [&](const Told& told) {
    return told.key == key && told.rule == verdict.rule && told.builtin == verdict.builtin;
  });
  if (same != told_.end() && now - same->when < kRepeats) {
    ++stats_.repeated_denials;
    return;
  }
  if (same != told_.end()) {
    same->when = now;
  } else if (told_.size() < kMaxTold) {
    told_.push_back({key, verdict.rule, verdict.builtin, now});
  } else {
    told_[next_told_] = {key, verdict.rule, verdict.builtin, now};
    next_told_ = (next_told_ + 1) % kMaxTold;
  }
  ++stats_.denied_flows;
  if (on_flow_) tell_begin(key, false, false, name, describe(verdict, config_.policy), now);
  denials_.add({now, verdict.rule, verdict.builtin, describe(verdict, config_.policy),
                key.ip_protocol, key.local, key.remote, key.local_port, key.remote_port,
                std::move(name)});
}

void PortGuard::tell_begin(const FlowKey& key, bool allowed, bool outside, std::string name,
                           std::string reason, TimePoint now) {
  FlowBegin begin{now,
                  allowed,
                  key.ip_protocol,
                  key.local,
                  key.remote,
                  key.local_port,
                  key.remote_port,
                  std::move(name),
                  std::move(reason)};
  if (outside) {
    std::swap(begin.from, begin.to);
    std::swap(begin.from_port, begin.to_port);
  }
  on_flow_(begin);
}

void PortGuard::tell_flow(const FlowKey& key, const Verdict& verdict, std::string name,
                          TimePoint now) {
  log_.add({now, verdict.logged, verdict.logged_by_default, verdict.allowed, key.ip_protocol,
            key.local, key.remote, key.local_port, key.remote_port, std::move(name)});
}

}  // namespace capsa::net
