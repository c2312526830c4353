#include <capsa/network_policy.hpp>
#include <charconv>
#include <optional>
#include <ostream>

#include "quote.hpp"

namespace capsa {
namespace {

using detail::quote;

error refused(std::string problem, std::string hint) {
  return {ErrorCode::InvalidConfig, std::move(problem), std::move(hint)};
}

/// The words of one line; brackets are words of their own.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) { advance(); }
  bool empty() const { return word_.empty(); }
  std::string_view peek() const { return word_; }
  std::string_view take() {
    const auto out = word_;
    advance();
    return out;
  }

 private:
  void advance() {
    const auto start = rest_.find_first_not_of(" \t\r");
    if (start == std::string_view::npos) {
      word_ = {};
      return;
    }
    rest_.remove_prefix(start);
    const bool bracket = rest_.front() == '(' || rest_.front() == ')';
    word_ = rest_.substr(0, bracket ? 1 : rest_.find_first_of(" \t\r()"));
    rest_.remove_prefix(word_.size());
  }

  std::string_view rest_;
  std::string_view word_;
};

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || text.empty())
    return std::nullopt;
  return value;
}

std::optional<PolicyAction> parse_action(std::string_view word) {
  if (word == "allow") return PolicyAction::Allow;
  if (word == "deny") return PolicyAction::Deny;
  if (word == "log") return PolicyAction::Log;
  return std::nullopt;
}

result<MatchCriteria> parse_ip(std::string_view word) {
  if (word.find('/') == std::string_view::npos) {
    const auto address = IpAddress::parse(word);
    if (!address) return address.error();
    return MatchCriteria::ip(*address);
  }
  const auto network = IpNetwork::parse(word);
  if (!network) return network.error();
  return MatchCriteria::ip_range(network->address(), network->prefix());
}

result<MatchCriteria> parse_port(std::string_view word) {
  const auto dash = word.find('-');
  const auto start = number(word.substr(0, dash));
  const auto end = dash == std::string_view::npos ? start : number(word.substr(dash + 1));
  if (!start || !end) {
    return refused(quote(word) + " is not a port", "write a number, or two as 80-90");
  }
  if (dash == std::string_view::npos) return MatchCriteria::port(*start);
  return MatchCriteria::port_range(*start, *end);
}

result<std::vector<MatchCriteria>> parse_criteria(Words& words, std::size_t depth);

result<MatchCriteria> parse_one(Words& words, std::size_t depth) {
  const auto word = words.take();
  if (word == "any") return MatchCriteria::any();
  if (word == "tcp") return MatchCriteria::protocol(Protocol::Tcp);
  if (word == "udp") return MatchCriteria::protocol(Protocol::Udp);
  if (word == "icmp") return MatchCriteria::protocol(Protocol::Icmp);
  if (word == "all") {
    if (words.take() != "(") return refused("all is not followed by (", "write all( … )");
    if (depth == NetworkPolicy::kMaxNesting) {
      return refused("all( is nested too deep", "put the inner criteria into the outer all( … )");
    }
    auto parts = parse_criteria(words, depth + 1);
    if (!parts) return parts.error();
    if (words.take() != ")") return refused("all( is not closed", "write all( … )");
    return MatchCriteria::all(*std::move(parts));
  }
  if (word != "ip" && word != "port" && word != "domain") {
    return refused(quote(word) + " is not something to match",
                   "use any, ip, port, tcp, udp, icmp, domain or all( … )");
  }
  if (words.empty()) {
    return refused(std::string(word) + " is followed by nothing",
                   "write ip 10.0.0.0/8, port 80-90 or domain *.github.com");
  }
  const auto operand = words.take();
  if (word == "ip") return parse_ip(operand);
  if (word == "port") return parse_port(operand);
  auto pattern = DomainPattern::parse(operand);
  if (!pattern) return pattern.error();
  return MatchCriteria::domain(*std::move(pattern));
}

result<std::vector<MatchCriteria>> parse_criteria(Words& words, std::size_t depth) {
  std::vector<MatchCriteria> out;
  while (!words.empty() && !(depth != 0 && words.peek() == ")")) {
    auto one = parse_one(words, depth);
    if (!one) return one.error();
    out.push_back(*std::move(one));
  }
  return out;
}

result<MatchCriteria> parse_rule(Words& words) {
  auto parts = parse_criteria(words, 0);
  if (!parts) return parts.error();
  if (parts->empty()) {
    return refused("the rule does not say what it is about", "add any, ip, port, domain, …");
  }
  MatchCriteria out =
      parts->size() == 1 ? std::move(parts->front()) : MatchCriteria::all(*std::move(parts));
  if (auto ok = out.validate(); !ok) return ok.error();
  return out;
}

/// The policy with one more line, `default` at most once.
result<void> parse_line(Words& words, NetworkPolicy& rules, std::optional<PolicyAction>& fallback) {
  const auto verb = words.take();
  const bool is_default = verb == "default";
  const auto action = parse_action(is_default ? words.take() : verb);
  if (!action) {
    return refused(
        is_default ? "default is not followed by an action" : quote(verb) + " is not an action",
        "use allow, deny or log");
  }
  if (!is_default) {
    auto criteria = parse_rule(words);
    if (!criteria) return criteria.error();
    rules.rule(*action, *std::move(criteria));
    return {};
  }
  if (fallback) return refused("default is given twice", "leave one of them out");
  if (!words.empty()) return refused(quote(words.peek()) + " follows the default", "leave it out");
  fallback = action;
  return {};
}

std::string join(const std::vector<MatchCriteria>& parts) {
  std::string out;
  for (const auto& part : parts)
    out += (out.empty() ? "" : " ") + to_string(part);
  return out;
}

struct Print {
  std::string operator()(const MatchCriteria::Any&) const { return "any"; }
  std::string operator()(const MatchCriteria::Ip& ip) const {
    return "ip " + to_string(ip.address);
  }
  std::string operator()(const MatchCriteria::IpRange& range) const {
    return "ip " + to_string(range.network) + "/" + std::to_string(range.prefix);
  }
  std::string operator()(const MatchCriteria::Port& port) const {
    return "port " + std::to_string(port.port);
  }
  std::string operator()(const MatchCriteria::PortRange& range) const {
    return "port " + std::to_string(range.start) + "-" + std::to_string(range.end);
  }
  std::string operator()(const MatchCriteria::OfProtocol& of) const {
    return to_string(of.protocol);
  }
  std::string operator()(const MatchCriteria::Domain& domain) const {
    return "domain " + to_string(domain.pattern);
  }
  std::string operator()(const MatchCriteria::All& all) const {
    return "all( " + join(all.criteria) + (all.criteria.empty() ? ")" : " )");
  }
  std::string operator()(const MatchCriteria::Invalid& invalid) const {
    return "invalid " + quote(invalid.problem);
  }
};

}  // namespace

result<NetworkPolicy> parse_policy(std::string_view text) {
  NetworkPolicy rules;
  std::optional<PolicyAction> fallback;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const auto end = text.find('\n');
    auto content = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    content = content.substr(0, content.find('#'));
    Words words(content);
    if (words.empty()) continue;
    if (auto ok = parse_line(words, rules, fallback); !ok) {
      return refused("network policy, line " + std::to_string(line) + ": " + ok.error().message(),
                     ok.error().hint());
    }
  }
  NetworkPolicy out = NetworkPolicy::with_default(fallback.value_or(PolicyAction::Deny));
  for (const auto& rule : rules.rules())
    out.rule(rule.action, rule.criteria);
  if (auto ok = out.validate(); !ok) return ok.error();
  return out;
}

std::string to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::Tcp:
      return "tcp";
    case Protocol::Udp:
      return "udp";
    case Protocol::Icmp:
      return "icmp";
  }
  return "unknown";
}

std::string to_string(PolicyAction action) {
  switch (action) {
    case PolicyAction::Allow:
      return "allow";
    case PolicyAction::Deny:
      return "deny";
    case PolicyAction::Log:
      return "log";
  }
  return "unknown";
}

std::string to_string(const DomainPattern& pattern) {
  return pattern.text();
}

std::string to_string(const MatchCriteria& criteria) {
  return std::visit(Print{}, criteria.value());
}

std::string to_string(const PolicyRule& rule) {
  // Two and more stand side by side; nothing, one, and all() within all() need the brackets to be
  // read as what they are.
  const auto* all = rule.criteria.get_if<MatchCriteria::All>();
  const bool plain = all != nullptr && all->criteria.size() > 1;
  return to_string(rule.action) + " " + (plain ? join(all->criteria) : to_string(rule.criteria));
}

std::string to_string(const NetworkPolicy& policy) {
  std::string out = "default " + to_string(policy.default_action()) + "\n";
  for (const auto& rule : policy.rules())
    out += to_string(rule) + "\n";
  return out;
}

std::ostream& operator<<(std::ostream& out, Protocol value) {
  return out << to_string(value);
}
std::ostream& operator<<(std::ostream& out, PolicyAction value) {
  return out << to_string(value);
}
std::ostream& operator<<(std::ostream& out, const DomainPattern& value) {
  return out << to_string(value);
}
std::ostream& operator<<(std::ostream& out, const MatchCriteria& value) {
  return out << to_string(value);
}
std::ostream& operator<<(std::ostream& out, const PolicyRule& value) {
  return out << to_string(value);
}
std::ostream& operator<<(std::ostream& out, const NetworkPolicy& value) {
  return out << to_string(value);
}

}  // namespace capsa
