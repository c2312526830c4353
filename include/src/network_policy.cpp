#include <algorithm>
#include <capsa/network_policy.hpp>

namespace capsa {
namespace {

constexpr unsigned kMaxPort = 65535;

error refused(std::string problem, std::string hint) {
  return {ErrorCode::InvalidConfig, std::move(problem), std::move(hint)};
}

result<void> validate_port(unsigned port) {
  if (port >= 1 && port <= kMaxPort) return {};
  return refused("port " + std::to_string(port) + " was given; 1 to 65535 are allowed",
                 "use any() for traffic to every port");
}

/// What a criterion by itself may be wrong about; All is walked by the caller.
struct Validate {
  result<void> operator()(const MatchCriteria::IpRange& range) const {
    const auto network = IpNetwork::make(range.network, range.prefix);
    if (!network) return network.error();
    return {};
  }
  result<void> operator()(const MatchCriteria::Port& port) const {
    return validate_port(port.port);
  }
  result<void> operator()(const MatchCriteria::PortRange& range) const {
    if (auto ok = validate_port(range.start); !ok) return ok;
    if (auto ok = validate_port(range.end); !ok) return ok;
    if (range.start <= range.end) return {};
    return refused("the ports " + std::to_string(range.start) + "-" + std::to_string(range.end) +
                       " were given; the first is above the last",
                   "give the smaller one first");
  }
  result<void> operator()(const MatchCriteria::Domain& domain) const {
    return domain.pattern.validate();
  }
  result<void> operator()(const MatchCriteria::Invalid& invalid) const {
    return refused(invalid.problem, invalid.hint);
  }
  template <class Other>
  result<void> operator()(const Other&) const {
    return {};
  }
};

result<void> validate(const MatchCriteria& criteria, std::size_t depth) {
  const auto* all = criteria.get_if<MatchCriteria::All>();
  if (all == nullptr) return std::visit(Validate{}, criteria.value());
  if (depth == NetworkPolicy::kMaxNesting) {
    return refused(
        "all() is nested more than " + std::to_string(NetworkPolicy::kMaxNesting) + " times",
        "put the inner criteria into the outer all()");
  }
  for (const auto& part : all->criteria) {
    if (auto ok = validate(part, depth + 1); !ok) return ok;
  }
  return {};
}

MatchCriteria of_port(Protocol protocol, unsigned port) {
  return MatchCriteria::all({MatchCriteria::protocol(protocol), MatchCriteria::port(port)});
}

}  // namespace

MatchCriteria MatchCriteria::ip(std::string_view address) {
  const auto parsed = IpAddress::parse(address);
  if (parsed) return ip(*parsed);
  return MatchCriteria(Invalid{parsed.error().message(), parsed.error().hint()});
}

MatchCriteria MatchCriteria::ip_range(std::string_view network, unsigned prefix) {
  const auto parsed = IpAddress::parse(network);
  if (parsed) return ip_range(*parsed, prefix);
  return MatchCriteria(Invalid{parsed.error().message(), parsed.error().hint()});
}

bool MatchCriteria::needs_name() const noexcept {
  if (const auto* all = get_if<All>()) {
    return std::any_of(all->criteria.begin(), all->criteria.end(),
                       [](const MatchCriteria& part) { return part.needs_name(); });
  }
  return get_if<Domain>() != nullptr;
}

result<void> MatchCriteria::validate() const {
  return capsa::validate(*this, 0);
}

MatchCriteria NetworkPolicy::udp_port(unsigned port) {
  return of_port(Protocol::Udp, port);
}
MatchCriteria NetworkPolicy::tcp_port(unsigned port) {
  return of_port(Protocol::Tcp, port);
}

MatchCriteria NetworkPolicy::named(std::string_view pattern) {
  return MatchCriteria::domain(pattern.starts_with("*") ? DomainPattern::wildcard(pattern)
                                                        : DomainPattern::exact(pattern));
}

result<void> NetworkPolicy::validate() const {
  if (rules_.size() > kMaxRules) {
    return refused("the network policy has " + std::to_string(rules_.size()) + " rules; at most " +
                       std::to_string(kMaxRules) + " are allowed",
                   "put addresses into ranges, and names below wildcards");
  }
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const auto ok = rules_[i].criteria.validate();
    if (ok) continue;
    return refused("network policy, rule " + std::to_string(i + 1) + " (" +
                       to_string(rules_[i].action) + "): " + ok.error().message(),
                   ok.error().hint());
  }
  return {};
}

}  // namespace capsa
