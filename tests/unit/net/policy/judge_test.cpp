#include <boost/test/unit_test.hpp>
#include <iomanip>
#include <net/policy/verdict.hpp>
#include <sstream>
#include <tests/unit/net/packet/frame_kit.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_policy_judge)

using Names = std::vector<std::string>;
using C = MatchCriteria;

NetworkContext context() {
  NetworkContext out;
  out.gateway = {ip("10.0.2.2"), ip("fe80::2")};
  out.host_addresses = {ip("203.0.113.7"), ip("192.168.1.5")};
  return out;
}

/// One row of the table that a failing test prints: what was judged, expected and seen.
struct Vector {
  const char* name;
  NetworkPolicy policy;
  const char* remote;
  unsigned port;
  Protocol protocol;
  Names names;
  const char* expected;
};

std::string seen(const NetworkPolicy& policy, const NetworkContext& where, const char* remote,
                 unsigned port, Protocol protocol, const Names& names) {
  const auto verdict =
      judge(policy, where, {protocol, ip(remote), static_cast<std::uint16_t>(port), &names});
  std::string out = verdict.allowed ? "allow" : "deny";
  if (verdict.rule) out += " by " + std::to_string(*verdict.rule);
  if (verdict.by_name) out += " named";
  for (const auto rule : verdict.logged)
    out += " log " + std::to_string(rule);
  if (verdict.logged_by_default) out += " log default";
  if (verdict.builtin != Builtin::None) out += ": " + std::string(to_string(verdict.builtin));
  return out;
}

void check(const std::vector<Vector>& vectors) {
  std::ostringstream table;
  bool good = true;
  for (const auto& v : vectors) {
    const auto got = seen(v.policy, context(), v.remote, v.port, v.protocol, v.names);
    good = good && got == v.expected;
    table << (got == v.expected ? "  " : "! ") << std::left << std::setw(48) << v.name
          << std::setw(34) << v.expected << got << "\n";
  }
  BOOST_TEST(good, "vector, expected, seen:\n" << table.str());
  BOOST_TEST_MESSAGE("vector, expected, seen:\n" << table.str());
}

constexpr auto kTcp = Protocol::Tcp;
constexpr auto kUdp = Protocol::Udp;
constexpr auto kIcmp = Protocol::Icmp;
const char* const kWeb = "198.51.100.1";

NetworkPolicy deny() {
  return NetworkPolicy::deny_all();
}
NetworkPolicy allow() {
  return NetworkPolicy::allow_all();
}

BOOST_AUTO_TEST_CASE(order_and_actions) {
  const auto both = C::all({});
  check({
      {"nothing but a default of deny", deny(), kWeb, 80, kTcp, {}, "deny"},
      {"nothing but a default of allow", allow(), kWeb, 80, kTcp, {}, "allow"},
      {"a default of log",
       NetworkPolicy::with_default(PolicyAction::Log),
       kWeb,
       80,
       kTcp,
       {},
       "allow log default"},
      {"All([]) matches everything",
       deny().rule(PolicyAction::Allow, both),
       kWeb,
       80,
       kTcp,
       {},
       "allow by 0"},
      {"Log then Allow",
       deny().rule(PolicyAction::Log, C::any()).allow_port(80),
       kWeb,
       80,
       kTcp,
       {},
       "allow by 1 log 0"},
      {"Log then default Deny",
       deny().rule(PolicyAction::Log, C::any()),
       kWeb,
       80,
       kTcp,
       {},
       "deny log 0"},
      {"Log behind the decision",
       deny().allow_port(80).rule(PolicyAction::Log, C::any()),
       kWeb,
       80,
       kTcp,
       {},
       "allow by 0"},
      {"first match, Allow first",
       deny().allow_port(80).deny_ip(kWeb),
       kWeb,
       80,
       kTcp,
       {},
       "allow by 0"},
      {"first match, Deny first",
       deny().deny_ip(kWeb).allow_port(80),
       kWeb,
       80,
       kTcp,
       {},
       "deny by 0"},
  });
}

BOOST_AUTO_TEST_CASE(ports_protocols_and_ranges) {
  const auto range = deny().rule(PolicyAction::Allow, C::port_range(80, 90));
  check({
      {"below a port range", range, kWeb, 79, kTcp, {}, "deny"},
      {"first of a port range", range, kWeb, 80, kTcp, {}, "allow by 0"},
      {"last of a port range", range, kWeb, 90, kUdp, {}, "allow by 0"},
      {"above a port range", range, kWeb, 91, kTcp, {}, "deny"},
      {"ICMP against Port", deny().allow_port(0).allow_port(80), kWeb, 80, kIcmp, {}, "deny"},
      {"ICMP against PortRange", range, kWeb, 80, kIcmp, {}, "deny"},
      {"ICMP against Any",
       deny().rule(PolicyAction::Allow, C::any()),
       kWeb,
       0,
       kIcmp,
       {},
       "allow by 0"},
      {"ICMP against its protocol",
       deny().rule(PolicyAction::Allow, C::protocol(kIcmp)),
       kWeb,
       0,
       kIcmp,
       {},
       "allow by 0"},
      {"allow_https is TCP", deny().allow_https(), kWeb, 443, kTcp, {}, "allow by 0"},
      {"allow_https is not UDP", deny().allow_https(), kWeb, 443, kUdp, {}, "deny"},
      {"allow_port is any protocol", deny().allow_port(443), kWeb, 443, kUdp, {}, "allow by 0"},
      {"CIDR /0", deny().allow_ip_range("0.0.0.0", 0), kWeb, 80, kTcp, {}, "allow by 0"},
      {"CIDR /32", deny().allow_ip_range(kWeb, 32), kWeb, 80, kTcp, {}, "allow by 0"},
      {"CIDR /32 beside", deny().allow_ip_range(kWeb, 32), "198.51.100.2", 80, kTcp, {}, "deny"},
      {"CIDR of the other family",
       deny().allow_ip_range("0.0.0.0", 0),
       "2001:db8::1",
       80,
       kTcp,
       {},
       "deny"},
      {"All of port and protocol",
       deny().rule(PolicyAction::Allow, C::all({C::port(80), C::protocol(kTcp)})),
       kWeb,
       80,
       kUdp,
       {},
       "deny"},
  });
}

BOOST_AUTO_TEST_CASE(names) {
  const auto one = deny().allow_domain("a.com");
  const auto evil = allow().deny_domain("evil.com");
  check({
      {"the name", one, kWeb, 443, kTcp, {"a.com"}, "allow by 0 named"},
      {"another name", one, kWeb, 443, kTcp, {"b.com"}, "deny"},
      {"Allow without a name (raw address)", one, kWeb, 443, kTcp, {}, "deny"},
      {"Deny without a name (raw address, DoH)", evil, kWeb, 443, kTcp, {}, "deny by 0"},
      {"Deny and another name", evil, kWeb, 443, kTcp, {"a.com"}, "allow"},
      {"Log without a name",
       allow().rule(PolicyAction::Log, C::domain(DomainPattern::exact("a.com"))),
       kWeb,
       443,
       kTcp,
       {},
       "allow log 0"},
      {"two names, one denied first",
       deny().deny_domain("evil.com").allow_domain("a.com"),
       kWeb,
       443,
       kTcp,
       {"a.com", "evil.com"},
       "deny by 0"},
      {"two names, one allowed first",
       deny().allow_domain("a.com").deny_domain("evil.com"),
       kWeb,
       443,
       kTcp,
       {"evil.com", "a.com"},
       "allow by 0 named"},
      {"name and port",
       deny().rule(PolicyAction::Allow,
                   C::all({C::domain(DomainPattern::exact("a.com")), C::port(22)})),
       kWeb,
       22,
       kTcp,
       {"a.com"},
       "allow by 0 named"},
      {"name and another port",
       deny().rule(PolicyAction::Allow,
                   C::all({C::domain(DomainPattern::exact("a.com")), C::port(22)})),
       kWeb,
       443,
       kTcp,
       {"a.com"},
       "deny"},
      {"QUIC by a name only",
       one,
       kWeb,
       443,
       kUdp,
       {"a.com"},
       "deny: QUIC, which hides the name that a rule needs"},
      {"QUIC by a port too",
       deny().allow_domain("a.com").allow_port(443),
       kWeb,
       443,
       kUdp,
       {"a.com"},
       "allow by 1"},
      {"QUIC under a default of allow",
       allow().allow_domain("a.com"),
       kWeb,
       443,
       kUdp,
       {"a.com"},
       "allow"},
      {"other UDP by a name", one, kWeb, 123, kUdp, {"a.com"}, "allow by 0 named"},
      {"DoT is under the policy", deny().allow_https(), "9.9.9.9", 853, kTcp, {}, "deny"},
      {"DoT that is allowed", deny().allow_port(853), "9.9.9.9", 853, kTcp, {}, "allow by 0"},
  });
}

BOOST_AUTO_TEST_CASE(what_is_always_denied) {
  const char* loopback = "deny: the host's loopback";
  const char* local = "deny: a link-local address";
  const char* host = "deny: an address of the host";
  const char* own = "deny: a private address that no rule names";
  const char* dns = "deny: a resolver other than the gateway's";
  check({
      {"127.0.0.1", allow(), "127.0.0.1", 80, kTcp, {}, loopback},
      {"::1", allow(), "::1", 80, kTcp, {}, loopback},
      {"::ffff:127.0.0.1", allow(), "::ffff:127.0.0.1", 80, kTcp, {}, loopback},
      {"64:ff9b::7f00:1", allow(), "64:ff9b::7f00:1", 80, kTcp, {}, loopback},
      {"0.0.0.0", allow(), "0.0.0.0", 80, kTcp, {}, "deny: an address that stands for the host"},
      {"::", allow(), "::", 80, kTcp, {}, "deny: an address that stands for the host"},
      {"169.254.169.254", allow(), "169.254.169.254", 80, kTcp, {}, local},
      {"64:ff9b::169.254.169.254", allow(), "64:ff9b::169.254.169.254", 80, kTcp, {}, local},
      {"fe80::1", allow(), "fe80::1", 80, kTcp, {}, local},
      {"multicast", allow(), "224.0.0.251", 5353, kUdp, {}, "deny: multicast"},
      {"multicast of IPv6", allow(), "ff02::fb", 5353, kUdp, {}, "deny: multicast"},
      {"broadcast", allow(), "255.255.255.255", 9, kUdp, {}, "deny: multicast"},
      {"the host's public address", allow(), "203.0.113.7", 22, kTcp, {}, host},
      {"the host's private address", allow(), "192.168.1.5", 22, kTcp, {}, host},
      {"10/8 by default", allow(), "10.1.2.3", 80, kTcp, {}, own},
      {"10/8 by Any", deny().rule(PolicyAction::Allow, C::any()), "10.1.2.3", 80, kTcp, {}, own},
      {"10/8 by a port", deny().allow_port(80), "10.1.2.3", 80, kTcp, {}, own},
      {"10/8 by a domain", deny().allow_domain("a.com"), "10.1.2.3", 80, kTcp, {"a.com"}, own},
      {"10/8 by /0", deny().allow_ip_range("0.0.0.0", 0), "10.1.2.3", 80, kTcp, {}, own},
      {"fc00::/7 by default", allow(), "fd12::1", 80, kTcp, {}, own},
      {"ping of 10/8", allow(), "10.1.2.3", 0, kIcmp, {}, own},
      {"8.8.8.8:53 UDP", allow(), "8.8.8.8", 53, kUdp, {}, dns},
      {"8.8.8.8:53 TCP by its address", deny().allow_ip("8.8.8.8"), "8.8.8.8", 53, kTcp, {}, dns},
      {"8.8.8.8:443 by its address",
       deny().allow_ip("8.8.8.8"),
       "8.8.8.8",
       443,
       kTcp,
       {},
       "allow by 0"},
      {"the gateway's other ports",
       allow(),
       "10.0.2.2",
       80,
       kTcp,
       {},
       "deny: the gateway, which does not serve this"},
      {"a Deny is told before", allow().deny_port(80), "127.0.0.1", 80, kTcp, {}, "deny by 0"},
  });
}

BOOST_AUTO_TEST_CASE(what_an_address_rule_opens) {
  check({
      {"10/8 by its range",
       deny().allow_ip_range("10.0.0.0", 8),
       "10.1.2.3",
       80,
       kTcp,
       {},
       "allow by 0"},
      {"10/8 by its address", deny().allow_ip("10.1.2.3"), "10.1.2.3", 80, kTcp, {}, "allow by 0"},
      {"10/8 by its address within All",
       deny().rule(PolicyAction::Allow, C::all({C::ip("10.1.2.3"), C::port(80)})),
       "10.1.2.3",
       80,
       kTcp,
       {},
       "allow by 0"},
      {"127.0.0.1 by its address",
       deny().allow_ip("127.0.0.1"),
       "127.0.0.1",
       80,
       kTcp,
       {},
       "allow by 0"},
      {"the same in v6 words",
       deny().allow_ip("127.0.0.1"),
       "::ffff:127.0.0.1",
       80,
       kTcp,
       {},
       "allow by 0"},
      {"metadata by its address",
       deny().allow_ip("169.254.169.254"),
       "169.254.169.254",
       80,
       kTcp,
       {},
       "allow by 0"},
      {"the host by its address",
       deny().allow_ip("192.168.1.5"),
       "192.168.1.5",
       22,
       kTcp,
       {},
       "allow by 0"},
      {"the host by its network only",
       deny().allow_ip_range("192.168.1.0", 24),
       "192.168.1.5",
       22,
       kTcp,
       {},
       "deny: an address of the host"},
      {"its neighbor by the network",
       deny().allow_ip_range("192.168.1.0", 24),
       "192.168.1.6",
       22,
       kTcp,
       {},
       "allow by 0"},
      {"a range wider than what is private",
       deny().allow_ip_range("172.0.0.0", 8),
       "172.16.0.1",
       80,
       kTcp,
       {},
       "deny: a private address that no rule names"},
      {"a Deny before it",
       deny().deny_port(80).allow_ip("10.1.2.3"),
       "10.1.2.3",
       80,
       kTcp,
       {},
       "deny by 0"},
  });
  auto cluster = context();
  cluster.peers = {IpNetwork::parse("10.0.3.0/24").value()};
  cluster.host_loopback = true;
  BOOST_TEST(seen(deny().allow_port(80), cluster, "10.0.3.16", 80, kTcp, {}) == "allow by 0");
  BOOST_TEST(seen(deny(), cluster, "10.0.3.16", 80, kTcp, {}) == "deny");
  BOOST_TEST(seen(deny().allow_port(80), cluster, "10.0.2.2", 80, kTcp, {}) == "allow by 0");
  BOOST_TEST(seen(deny(), cluster, "10.0.2.2", 80, kTcp, {}) == "deny");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
