#pragma once

#include <capsa/ip_address.hpp>
#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace capsa {

/// What a rule can tell apart; other protocols leave no guest.
enum class Protocol : std::uint8_t { Tcp, Udp, Icmp };

/// One name, or all names below one. Kept in lower case and without the trailing dot. A plain
/// value; what is wrong with it is told by validate(), and such a pattern matches nothing.
class DomainPattern {
 public:
  /// The longest name that DNS carries, as text without the trailing dot (RFC 1035, 2.3.4).
  static constexpr std::size_t kMaxLength = 253;

  /// "api.example.com": this name and no other.
  static DomainPattern exact(std::string_view name);
  /// "*.github.com": one label or more in front of github.com, and never github.com itself.
  static DomainPattern wildcard(std::string_view pattern);
  /// wildcard() for what starts with "*.", else exact(); validated. InvalidConfig.
  static result<DomainPattern> parse(std::string_view text);

  /// Made by wildcard(), whether valid or not.
  bool is_wildcard() const noexcept { return wildcard_; }
  /// As it was given, in lower case and without the trailing dot; with the "*." of a wildcard.
  const std::string& text() const noexcept { return text_; }

  /// InvalidConfig for "*", "*.com", '*' inside a label, empty or over-long labels and names,
  /// letters outside ASCII (punycode is meant), and IP addresses.
  result<void> validate() const;
  /// `name` in any case, with or without a trailing dot.
  bool matches(std::string_view name) const;

  friend bool operator==(const DomainPattern&, const DomainPattern&) = default;

 private:
  DomainPattern(std::string text, bool wildcard) : text_(std::move(text)), wildcard_(wildcard) {}
  std::string text_;
  bool wildcard_ = false;
};

/// `name` in lower case (ASCII) and without one trailing dot: how names are compared.
std::string canonical_domain(std::string_view name);

/// What traffic a rule is about. A closed value: visit it with std::visit(f, criteria.value()), or
/// ask with get_if<T>(). What is wrong with it is told by validate().
class MatchCriteria {
 public:
  /// Everything.
  struct Any {
    friend bool operator==(const Any&, const Any&) = default;
  };
  /// One address of the far side.
  struct Ip {
    IpAddress address;  ///< IPv4 or IPv6
    friend bool operator==(const Ip&, const Ip&) = default;
  };
  /// All addresses of a network.
  struct IpRange {
    IpAddress network;    ///< the first; bits behind the prefix are refused
    unsigned prefix = 0;  ///< bits: 0 to 32, or to 128
    friend bool operator==(const IpRange&, const IpRange&) = default;
  };
  /// One port of the far side, TCP or UDP.
  struct Port {
    unsigned port = 0;  ///< 1 to 65535
    friend bool operator==(const Port&, const Port&) = default;
  };
  /// Both ends included.
  struct PortRange {
    unsigned start = 0;  ///< 1 to 65535
    unsigned end = 0;    ///< not below `start`
    friend bool operator==(const PortRange&, const PortRange&) = default;
  };
  /// One protocol, whatever the port.
  struct OfProtocol {
    capsa::Protocol protocol = capsa::Protocol::Tcp;  ///< Icmp: that of IPv6, too
    friend bool operator==(const OfProtocol&, const OfProtocol&) = default;
  };
  /// Addresses that the guest got for such a name from the gateway's resolver.
  struct Domain {
    DomainPattern pattern;  ///< which names
    friend bool operator==(const Domain&, const Domain&) = default;
  };
  /// Every one of them; empty matches everything.
  struct All {
    std::vector<MatchCriteria> criteria;  ///< nested at most NetworkPolicy::kMaxNesting times
    friend bool operator==(const All& a, const All& b);
  };
  /// A text that was given for an address and is none; refused by validate().
  struct Invalid {
    std::string problem;  ///< error::message() of validate()
    std::string hint;     ///< error::hint() of validate()
    friend bool operator==(const Invalid&, const Invalid&) = default;
  };
  /// One of them.
  using Value = std::variant<Any, Ip, IpRange, Port, PortRange, OfProtocol, Domain, All, Invalid>;

  MatchCriteria() = default;
  /// Everything.
  static MatchCriteria any() { return {}; }
  ///@{
  /// Of the far side. A text that is no address is told by validate().
  static MatchCriteria ip(const IpAddress& address) { return MatchCriteria(Ip{address}); }
  static MatchCriteria ip(std::string_view address);
  static MatchCriteria ip_range(const IpAddress& network, unsigned prefix) {
    return MatchCriteria(IpRange{network, prefix});
  }
  static MatchCriteria ip_range(std::string_view network, unsigned prefix);
  ///@}
  ///@{
  /// Of the far side: what the guest connects to. ICMP has none.
  static MatchCriteria port(unsigned port) { return MatchCriteria(Port{port}); }
  static MatchCriteria port_range(unsigned start, unsigned end) {
    return MatchCriteria(PortRange{start, end});
  }
  ///@}
  /// Whatever the port.
  static MatchCriteria protocol(capsa::Protocol protocol) {
    return MatchCriteria(OfProtocol{protocol});
  }
  /// Of a name; see Domain.
  static MatchCriteria domain(DomainPattern pattern) {
    return MatchCriteria(Domain{std::move(pattern)});
  }
  /// Every one of them must match; none at all matches everything.
  static MatchCriteria all(std::vector<MatchCriteria> criteria) {
    return MatchCriteria(All{std::move(criteria)});
  }

  /// Null where it is another one of those above.
  template <class T>
  const T* get_if() const noexcept {
    return std::get_if<T>(&value_);
  }
  /// For std::visit.
  const Value& value() const noexcept { return value_; }
  /// Whether a Domain is part of it.
  bool needs_name() const noexcept;
  /// InvalidConfig: what was given, and what is allowed.
  result<void> validate() const;

  friend bool operator==(const MatchCriteria&, const MatchCriteria&) = default;

 private:
  template <class T>
  explicit MatchCriteria(T value) : value_(std::move(value)) {}
  Value value_;
};

inline bool operator==(const MatchCriteria::All& a, const MatchCriteria::All& b) {
  return a.criteria == b.criteria;
}

/// What becomes of what a rule matches.
enum class PolicyAction : std::uint8_t {
  Allow,  ///< it passes, and no further rule is looked at
  Deny,   ///< it is refused at once, by a reset or an ICMP error
  Log,    ///< recorded, and the next rule is looked at; as the default: allowed and recorded
};

/// One rule of a policy.
struct PolicyRule {
  PolicyAction action = PolicyAction::Deny;  ///< for what matches
  MatchCriteria criteria;                    ///< what that is; any() unless said
  friend bool operator==(const PolicyRule&, const PolicyRule&) = default;
};

/// What a VM may reach. Rules are looked at in order: the first Allow or Deny that matches decides,
/// else the default does. Whatever the rules, the host's loopback, link-local addresses, multicast,
/// the host's own addresses and private networks are out of reach, unless an allow rule names the
/// address: an ip() or an ip_range() that lies inside such a range. A plain value:
///
///     auto policy = NetworkPolicy::deny_all().allow_dns().allow_https().deny_ip("192.0.2.1");
///
/// What is wrong with it is told by validate(), and by build() of whatever it is given to.
class NetworkPolicy {
 public:
  /// What one policy may hold: each new flow of a guest looks at every rule.
  static constexpr std::size_t kMaxRules = 4096;
  static constexpr std::size_t kMaxNesting = 8;  ///< of MatchCriteria::all() within each other

  NetworkPolicy() = default;  ///< deny_all()
  ///@{
  /// No rules yet, and this for what none of them decides.
  static NetworkPolicy deny_all() { return with_default(PolicyAction::Deny); }
  static NetworkPolicy allow_all() { return with_default(PolicyAction::Allow); }
  static NetworkPolicy with_default(PolicyAction action) {
    NetworkPolicy out;
    out.default_ = action;
    return out;
  }
  ///@}

  /// For what no rule decides.
  PolicyAction default_action() const noexcept { return default_; }
  /// In the order in which they are looked at.
  const std::vector<PolicyRule>& rules() const noexcept { return rules_; }
  /// InvalidConfig: which rule (counted from 1), what was given, and what is allowed.
  result<void> validate() const;

  ///@{
  /// Adds a rule behind the others, as all that follow do.
  NetworkPolicy& rule(PolicyAction action, MatchCriteria criteria) & {
    rules_.push_back({action, std::move(criteria)});
    return *this;
  }
  NetworkPolicy rule(PolicyAction action, MatchCriteria criteria) && {
    return std::move(rule(action, std::move(criteria)));
  }
  ///@}

  ///@{
  /// Questions for any name, to the gateway's resolver: UDP port 53 as a rule sees it, and TCP
  /// where an answer is long. Resolvers elsewhere are out of reach whatever the rules.
  NetworkPolicy& allow_dns() & { return allow(udp_port(53)); }
  NetworkPolicy allow_dns() && { return std::move(allow_dns()); }
  ///@}
  ///@{
  /// TCP port 443.
  NetworkPolicy& allow_https() & { return allow(tcp_port(443)); }
  NetworkPolicy allow_https() && { return std::move(allow_https()); }
  ///@}
  ///@{
  /// Of any protocol that has ports.
  NetworkPolicy& allow_port(unsigned port) & { return allow(MatchCriteria::port(port)); }
  NetworkPolicy allow_port(unsigned port) && { return std::move(allow_port(port)); }
  NetworkPolicy& deny_port(unsigned port) & { return deny(MatchCriteria::port(port)); }
  NetworkPolicy deny_port(unsigned port) && { return std::move(deny_port(port)); }
  ///@}

  ///@{
  /// Of the far side, on every port. A text that is no address is told by validate().
  NetworkPolicy& allow_ip(const IpAddress& address) & { return allow(MatchCriteria::ip(address)); }
  NetworkPolicy allow_ip(const IpAddress& address) && { return std::move(allow_ip(address)); }
  NetworkPolicy& allow_ip(std::string_view text) & { return allow(MatchCriteria::ip(text)); }
  NetworkPolicy allow_ip(std::string_view text) && { return std::move(allow_ip(text)); }
  NetworkPolicy& deny_ip(const IpAddress& address) & { return deny(MatchCriteria::ip(address)); }
  NetworkPolicy deny_ip(const IpAddress& address) && { return std::move(deny_ip(address)); }
  NetworkPolicy& deny_ip(std::string_view text) & { return deny(MatchCriteria::ip(text)); }
  NetworkPolicy deny_ip(std::string_view text) && { return std::move(deny_ip(text)); }
  ///@}

  ///@{
  /// allow_ip_range("10.0.0.0", 8)
  NetworkPolicy& allow_ip_range(std::string_view network, unsigned prefix) & {
    return allow(MatchCriteria::ip_range(network, prefix));
  }
  NetworkPolicy allow_ip_range(std::string_view network, unsigned prefix) && {
    return std::move(allow_ip_range(network, prefix));
  }
  NetworkPolicy& allow_ip_range(const IpAddress& network, unsigned prefix) & {
    return allow(MatchCriteria::ip_range(network, prefix));
  }
  NetworkPolicy allow_ip_range(const IpAddress& network, unsigned prefix) && {
    return std::move(allow_ip_range(network, prefix));
  }
  NetworkPolicy& deny_ip_range(std::string_view network, unsigned prefix) & {
    return deny(MatchCriteria::ip_range(network, prefix));
  }
  NetworkPolicy deny_ip_range(std::string_view network, unsigned prefix) && {
    return std::move(deny_ip_range(network, prefix));
  }
  NetworkPolicy& deny_ip_range(const IpAddress& network, unsigned prefix) & {
    return deny(MatchCriteria::ip_range(network, prefix));
  }
  NetworkPolicy deny_ip_range(const IpAddress& network, unsigned prefix) && {
    return std::move(deny_ip_range(network, prefix));
  }
  ///@}

  ///@{
  /// "api.example.com", or "*.github.com". It allows the question for the name too.
  NetworkPolicy& allow_domain(std::string_view pattern) & { return allow(named(pattern)); }
  NetworkPolicy allow_domain(std::string_view pattern) && {
    return std::move(allow_domain(pattern));
  }
  NetworkPolicy& deny_domain(std::string_view pattern) & { return deny(named(pattern)); }
  NetworkPolicy deny_domain(std::string_view pattern) && { return std::move(deny_domain(pattern)); }
  ///@}

  friend bool operator==(const NetworkPolicy&, const NetworkPolicy&) = default;

 private:
  static MatchCriteria udp_port(unsigned port);
  static MatchCriteria tcp_port(unsigned port);
  static MatchCriteria named(std::string_view pattern);
  NetworkPolicy& allow(MatchCriteria criteria) {
    return rule(PolicyAction::Allow, std::move(criteria));
  }
  NetworkPolicy& deny(MatchCriteria criteria) {
    return rule(PolicyAction::Deny, std::move(criteria));
  }

  PolicyAction default_ = PolicyAction::Deny;
  std::vector<PolicyRule> rules_;
};

/// A policy as text, one rule a line; `#` starts a comment. The result is valid. InvalidConfig
/// names the line.
///
///     default deny
///     allow domain *.github.com
///     allow port 80-90 tcp          # all that a line says must match
///     deny ip 10.0.0.0/8
///     log any
///
/// Actions are allow, deny and log; what they are about is any, ip ADDRESS[/PREFIX],
/// port PORT[-PORT], tcp, udp, icmp, domain PATTERN, or all( … ).
result<NetworkPolicy> parse_policy(std::string_view text);

///@{
/// As parse_policy() reads it: "tcp", "allow", "*.github.com", "ip 10.0.0.0/8".
std::string to_string(Protocol);
std::string to_string(PolicyAction);
std::string to_string(const DomainPattern&);
std::string to_string(const MatchCriteria&);
///@}
/// One line of parse_policy(), without the newline.
std::string to_string(const PolicyRule&);
/// What parse_policy() reads; of a valid policy it gives the same policy.
std::string to_string(const NetworkPolicy&);

std::ostream& operator<<(std::ostream&, Protocol);
std::ostream& operator<<(std::ostream&, PolicyAction);
std::ostream& operator<<(std::ostream&, const DomainPattern&);
std::ostream& operator<<(std::ostream&, const MatchCriteria&);
std::ostream& operator<<(std::ostream&, const PolicyRule&);
std::ostream& operator<<(std::ostream&, const NetworkPolicy&);

}  // namespace capsa
