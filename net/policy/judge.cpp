#include <algorithm>
#include <net/policy/verdict.hpp>

namespace capsa::net {
namespace {

/// What a criterion may depend on; one name at a time.
struct Subject {
  const FlowFacts& facts;
  IpAddress address;      // what the remote address stands for
  bool question = false;  // for a name: addresses do not count
  bool any_port = false;  // only names count
  const std::string* name = nullptr;
  bool without_name = false;  // what a criterion about names says where there is none
};

struct Matches {
  const Subject& subject;

  bool operator()(const MatchCriteria::Any&) const { return true; }
  bool operator()(const MatchCriteria::Ip& ip) const {
    if (subject.question) return subject.any_port;
    return ip.address.embedded_v4().value_or(ip.address) == subject.address;
  }
  bool operator()(const MatchCriteria::IpRange& range) const {
    if (subject.question) return subject.any_port;
    const auto network = IpNetwork::around(range.network, range.prefix);
    return network.contains(subject.address) || network.contains(subject.facts.remote);
  }
  bool operator()(const MatchCriteria::Port& port) const {
    if (subject.any_port) return true;
    return subject.facts.protocol != Protocol::Icmp && subject.facts.port == port.port;
  }
  bool operator()(const MatchCriteria::PortRange& range) const {
    if (subject.any_port) return true;
    return subject.facts.protocol != Protocol::Icmp && subject.facts.port >= range.start &&
           subject.facts.port <= range.end;
  }
  bool operator()(const MatchCriteria::OfProtocol& of) const {
    return subject.any_port || subject.facts.protocol == of.protocol;
  }
  bool operator()(const MatchCriteria::Domain& domain) const {
    return subject.name == nullptr ? subject.without_name : domain.pattern.matches(*subject.name);
  }
  bool operator()(const MatchCriteria::All& all) const {
    return std::all_of(all.criteria.begin(), all.criteria.end(), [this](const MatchCriteria& part) {
      return std::visit(*this, part.value());
    });
  }
  bool operator()(const MatchCriteria::Invalid&) const { return false; }
};

bool matches(const MatchCriteria& criteria, const Subject& subject) {
  return std::visit(Matches{subject}, criteria.value());
}

/// Whether a criterion names an address of this range: it is about no address outside of it.
bool names(const MatchCriteria& criteria, const IpNetwork& special, const IpAddress& address) {
  if (const auto* ip = criteria.get_if<MatchCriteria::Ip>())
    return ip->address.embedded_v4().value_or(ip->address) == address;
  if (const auto* range = criteria.get_if<MatchCriteria::IpRange>()) {
    const auto network = IpNetwork::around(range->network, range->prefix);
    return network.contains(address) && range->prefix >= special.prefix();
  }
  if (const auto* all = criteria.get_if<MatchCriteria::All>()) {
    return std::any_of(all->criteria.begin(), all->criteria.end(),
                       [&](const MatchCriteria& part) { return names(part, special, address); });
  }
  return false;
}

const std::vector<std::string> kNoNames;

/// The names of the flow with which an Allow matches; all of them where it asks for none.
bool allow_matches(const MatchCriteria& criteria, Subject subject, Verdict& verdict) {
  if (!criteria.needs_name()) return matches(criteria, subject);
  const auto& known = subject.facts.names != nullptr ? *subject.facts.names : kNoNames;
  std::vector<std::string> matched;
  for (const auto& name : known) {
    subject.name = &name;
    if (matches(criteria, subject)) matched.push_back(name);
  }
  if (matched.empty()) return false;
  verdict.by_name = true;
  verdict.names = std::move(matched);
  return true;
}

bool other_matches(const MatchCriteria& criteria, Subject subject) {
  subject.without_name = true;
  const auto& known = subject.facts.names != nullptr ? *subject.facts.names : kNoNames;
  if (known.empty() || !criteria.needs_name()) return matches(criteria, subject);
  return std::any_of(known.begin(), known.end(), [&](const std::string& name) {
    subject.name = &name;
    return matches(criteria, subject);
  });
}

/// QUIC (RFC 9000) shows its name to nobody who does not decrypt it.
bool is_quic(const FlowFacts& facts) {
  return facts.protocol == Protocol::Udp && facts.port == 443;
}

Verdict by_default(const NetworkPolicy& policy, Verdict verdict) {
  verdict.allowed = policy.default_action() != PolicyAction::Deny;
  verdict.logged_by_default = policy.default_action() == PolicyAction::Log;
  return verdict;
}

}  // namespace

Verdict judge(const NetworkPolicy& policy, const NetworkContext& context, const FlowFacts& facts) {
  Verdict verdict;
  const Subject subject{facts, facts.remote.embedded_v4().value_or(facts.remote)};
  const auto special = special_range(context, facts.remote);
  // No rule opens these: other resolvers are a way around the policy, and behind the gateway's
  // address there is nothing.
  if (facts.protocol != Protocol::Icmp && facts.port == 53) verdict.builtin = Builtin::DnsElsewhere;
  if (special.why == Builtin::Gateway) verdict.builtin = Builtin::Gateway;
  if (verdict.builtin != Builtin::None) return verdict;
  bool hidden = false;
  for (std::size_t i = 0; i < policy.rules().size(); ++i) {
    const auto& rule = policy.rules()[i];
    if (rule.action == PolicyAction::Allow) {
      if (special.why != Builtin::None && !names(rule.criteria, special.range, subject.address))
        continue;
      if (!allow_matches(rule.criteria, subject, verdict)) continue;
      if (verdict.by_name && is_quic(facts)) {
        verdict.by_name = false;
        verdict.names.clear();
        hidden = true;
        continue;
      }
    } else if (!other_matches(rule.criteria, subject)) {
      continue;
    } else if (rule.action == PolicyAction::Log) {
      verdict.logged.push_back(i);
      continue;
    }
    verdict.allowed = rule.action == PolicyAction::Allow;
    verdict.rule = i;
    return verdict;
  }
  if (special.why != Builtin::None) {
    verdict.builtin = special.why;
    return verdict;
  }
  verdict = by_default(policy, std::move(verdict));
  if (!verdict.allowed && hidden) verdict.builtin = Builtin::Quic;
  return verdict;
}

Verdict judge_question(const NetworkPolicy& policy, std::string_view name) {
  Verdict verdict;
  const std::vector<std::string> asked{canonical_domain(name)};
  const FlowFacts facts{Protocol::Udp, IpAddress(), 53, &asked};
  Subject subject{facts, IpAddress(), true, false, &asked.front()};
  for (std::size_t i = 0; i < policy.rules().size(); ++i) {
    const auto& rule = policy.rules()[i];
    subject.any_port = rule.action == PolicyAction::Allow && rule.criteria.needs_name();
    if (!matches(rule.criteria, subject)) continue;
    if (rule.action == PolicyAction::Log) {
      verdict.logged.push_back(i);
      continue;
    }
    verdict.allowed = rule.action == PolicyAction::Allow;
    verdict.rule = i;
    return verdict;
  }
  return by_default(policy, std::move(verdict));
}

bool names_address(const NetworkPolicy& policy, const NetworkContext& context,
                   const IpAddress& address) {
  auto range = special_range(context, address).range;
  const auto judged = address.embedded_v4().value_or(address);
  // Peers and a gateway that stands for the host are not special to flows, but to answers of DNS.
  if (context.is_gateway(judged)) range = IpNetwork::around(judged, 128);
  for (const auto& peers : context.peers) {
    if (peers.contains(judged)) range = peers;
  }
  return std::any_of(policy.rules().begin(), policy.rules().end(), [&](const PolicyRule& rule) {
    return rule.action == PolicyAction::Allow && names(rule.criteria, range, judged);
  });
}

bool denies_by_name(const NetworkPolicy& policy) noexcept {
  return std::any_of(policy.rules().begin(), policy.rules().end(), [](const PolicyRule& rule) {
    return rule.action != PolicyAction::Allow && rule.criteria.needs_name();
  });
}

std::string describe(const Verdict& verdict, const NetworkPolicy& policy) {
  if (verdict.builtin != Builtin::None) return std::string(to_string(verdict.builtin));
  if (!verdict.rule || *verdict.rule >= policy.rules().size())
    return "the default: " + to_string(policy.default_action());
  return "rule " + std::to_string(*verdict.rule + 1) + ": " +
         to_string(policy.rules()[*verdict.rule]);
}

}  // namespace capsa::net
