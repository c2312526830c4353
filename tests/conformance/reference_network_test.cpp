#include <boost/test/unit_test.hpp>
#include <tests/conformance/net_policy_lab.hpp>
#include <tests/conformance/reference_rows.hpp>
#include <thread>

using namespace capsa;
using namespace capsa::test;

namespace {

/// Before anything else: see NetLab.
struct Setup {
  Setup() { NetLab::instance(); }
};
BOOST_TEST_GLOBAL_FIXTURE(Setup);

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

UserNatConfig config() {
  UserNatConfig out;
  out.subnet = "10.77.0.0/16";
  out.gateway = IpAddress::v4(10, 77, 8, 1);
  out.dhcp_start = IpAddress::v4(10, 77, 8, 20);
  out.dhcp_end = IpAddress::v4(10, 77, 8, 20);
  out.port_forwards = {PortForward::tcp(0, 80)};
  out.policy = NetworkPolicy::deny_all();
  return out;
}

NetGuest& nat_guest() {
  static NetGuest instance(NetworkMode::user_nat(config()), "nat");
  return instance;
}

std::string refusal(const UserNatConfig& with) {
  const auto refused = guest_vm(runtime()).network(NetworkMode::user_nat(with)).build().result();
  return refused.ok() ? "" : refused.error().message();
}

/// Whether policies can be tried here; notes why not.
bool lab_is_missing() {
  auto missing = NetLab::instance().missing();
  if (missing.empty()) missing = missing_python();
  if (!missing.empty()) row_skipped(missing);
  return !missing.empty();
}

PolicyLab& lab() {
  return PolicyLab::instance();
}

NetworkPolicy deny() {
  return NetworkPolicy::deny_all();
}

constexpr const char* kHere = "203.0.113.2";
constexpr const char* kThere = "203.0.114.1";

/// Under a policy that allows this and nothing else, these are reached and those are not.
void check_allows(const std::string& what, const MatchCriteria& criteria,
                  const std::vector<std::string>& reached,
                  const std::vector<std::string>& out_of_reach) {
  lab().under(deny().rule(PolicyAction::Allow, criteria));
  for (const auto& call : reached)
    lab().expect(what + " " + call, "ok", call);
  for (const auto& call : out_of_reach)
    lab().expect("not " + what + " " + call, "refused|unreachable", call);
}

void name_is_known(const std::string& name, const std::string& address) {
  lab().dns.set(name, address);
  lab().expect("question", "noerror", dns(name));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reference_of_user_nat_config)

BOOST_AUTO_TEST_CASE(user_nat_config_01_subnet) {
  BOOST_TEST(holds(nat_guest().sh("ip -4 addr show eth0"), "/16 "));
  auto bad = config();
  bad.subnet = "10.77.0.0/33";
  BOOST_TEST(holds(refusal(bad), "10.77.0.0/33"));
}

BOOST_AUTO_TEST_CASE(user_nat_config_02_gateway) {
  BOOST_TEST(holds(nat_guest().sh("ip route"), "default via 10.77.8.1"));
  BOOST_TEST(holds(nat_guest().sh("ping -c 1 -W 5 10.77.8.1"), "1 packets received"));
}

BOOST_AUTO_TEST_CASE(user_nat_config_03_dhcp_start) {
  BOOST_TEST(holds(nat_guest().sh("ip -4 addr show eth0"), "10.77.8.20/16"));
}

BOOST_AUTO_TEST_CASE(user_nat_config_04_dhcp_end) {
  auto bad = config();
  bad.dhcp_end = IpAddress::v4(10, 77, 8, 19);
  BOOST_TEST(holds(refusal(bad), "10.77.8.19"));
}

BOOST_AUTO_TEST_CASE(user_nat_config_05_port_forwards) {
  const auto forwards = nat_guest().network.forwards().get();
  BOOST_TEST_REQUIRE(forwards.size() == 1U);
  BOOST_TEST(forwards[0].guest_port == 80);
  const auto server = nat_guest()
                          .agent
                          .start(ExecSpec::shell_line(
                              "while true; do nc -l -p 80 -e sh -c 'read x; echo $((x*2))'; done"))
                          .get();
  std::string answer;
  // The guest's listener comes up when it does.
  for (int tries = 0; tries < 400 && answer != "42\n"; ++tries) {
    if (tries != 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto fd = connect_to(IpAddress::v4(127, 0, 0, 1), forwards[0].host_port);
    if (fd && write_all(fd.get(), "21\n")) answer = read_all(fd.get());
  }
  BOOST_TEST(answer == "42\n");
  server.signal(9).get();
}

BOOST_AUTO_TEST_CASE(user_nat_config_06_policy) {
  nat_guest().forget_denials();
  BOOST_TEST(holds(nat_guest().sh("nc -w 5 203.0.113.1 9000 </dev/null"), "status"));
  BOOST_TEST(!nat_guest().denial({"203.0.113.1:9000", "the default: deny"}).empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reference_of_network_policy)

BOOST_AUTO_TEST_CASE(policy_01_deny_all) {
  if (lab_is_missing()) return;
  lab().under(NetworkPolicy::deny_all());
  lab().expect("deny_all", "refused", tcp(kHere, 9000));
  lab().expect("deny_all", "unreachable", udp(kHere, 9000));
}

BOOST_AUTO_TEST_CASE(policy_02_allow_all) {
  if (lab_is_missing()) return;
  lab().under(NetworkPolicy::allow_all());
  lab().expect("allow_all", "ok", tcp(kHere, 9000));
  lab().expect("allow_all", "ok", udp(kHere, 9000));
}

BOOST_AUTO_TEST_CASE(policy_03_allow_dns) {
  if (lab_is_missing()) return;
  lab().dns.set("dns.row.test", kHere);
  lab().under(deny());
  lab().expect("without allow_dns", "refused", dns("dns.row.test"));
  lab().under(deny().allow_dns());
  lab().expect("allow_dns", "noerror", dns("dns.row.test"));
  lab().expect("allow_dns: nothing else", "refused", tcp(kHere, 9000));
}

BOOST_AUTO_TEST_CASE(policy_04_allow_https) {
  if (lab_is_missing()) return;
  lab().under(deny().allow_https());
  lab().expect("allow_https", "ok", tcp(kHere, 443));
  lab().expect("allow_https: not by UDP", "unreachable", udp(kHere, 443));
  lab().expect("allow_https: not HTTP", "refused", tcp(kHere, 80));
}

BOOST_AUTO_TEST_CASE(policy_05_allow_port) {
  if (lab_is_missing()) return;
  lab().under(deny().allow_port(9000));
  lab().expect("allow_port", "ok", tcp(kHere, 9000));
  lab().expect("allow_port: any protocol", "ok", udp(kHere, 9000));
  lab().expect("allow_port: no other", "refused", tcp(kHere, 9001));
}

BOOST_AUTO_TEST_CASE(policy_06_allow_ip) {
  if (lab_is_missing()) return;
  lab().under(deny().allow_ip(IpAddress::v4(203, 0, 113, 2)));
  lab().expect("allow_ip", "ok", tcp(kHere, 9000));
  lab().expect("allow_ip: no other", "refused", tcp(kThere, 9000));
}

BOOST_AUTO_TEST_CASE(policy_07_allow_ip_range) {
  if (lab_is_missing()) return;
  lab().under(deny().allow_ip_range("203.0.113.0", 24));
  lab().expect("allow_ip_range", "ok", tcp(kHere, 9000));
  lab().expect("allow_ip_range: outside", "refused", tcp(kThere, 9000));
}

BOOST_AUTO_TEST_CASE(policy_08_allow_domain_exact) {
  if (lab_is_missing()) return;
  lab().under(deny().allow_domain("api.row.test"));
  name_is_known("api.row.test", "203.0.113.81");
  lab().expect("allow_domain", "ok", tls("203.0.113.81", 443, "api.row.test"));
  lab().expect("allow_domain: below", "refused", dns("x.api.row.test"));
}

BOOST_AUTO_TEST_CASE(policy_09_allow_domain_wildcard) {
  if (lab_is_missing()) return;
  lab().under(deny().allow_domain("*.row.test"));
  name_is_known("a.b.row.test", "203.0.113.82");
  lab().expect("allow_domain *", "ok", tls("203.0.113.82", 443, "a.b.row.test"));
  lab().expect("allow_domain *: itself", "refused", dns("row.test"));
}

BOOST_AUTO_TEST_CASE(policy_10_deny_domain) {
  if (lab_is_missing()) return;
  lab().dns.set("x.evil.test", "203.0.113.83");
  lab().under(NetworkPolicy::allow_all().deny_domain("*.evil.test"));
  lab().expect("deny_domain", "refused", dns("x.evil.test"));
  lab().expect("deny_domain: others", "ok", tcp(kHere, 9000));
}

BOOST_AUTO_TEST_CASE(policy_11_rule_log) {
  if (lab_is_missing()) return;
  lab().under(NetworkPolicy::allow_all().rule(PolicyAction::Log, MatchCriteria::any()));
  lab().expect("rule(Log)", "ok", tcp(kHere, 9000));
  lab().expect_logged("rule(Log)", {"allowed: tcp", "203.0.113.2:9000", "by rule 1"});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reference_of_match_criteria)

BOOST_AUTO_TEST_CASE(match_01_any) {
  if (lab_is_missing()) return;
  check_allows("any", MatchCriteria::any(), {tcp(kHere, 9000), udp(kThere, 9000)}, {});
}

BOOST_AUTO_TEST_CASE(match_02_ip) {
  if (lab_is_missing()) return;
  check_allows("ip", MatchCriteria::ip(kHere), {tcp(kHere, 9000)}, {tcp("203.0.113.3", 9000)});
}

BOOST_AUTO_TEST_CASE(match_03_ip_range) {
  if (lab_is_missing()) return;
  check_allows("ip_range", MatchCriteria::ip_range("203.0.112.0", 23), {tcp(kHere, 9000)},
               {tcp(kThere, 9000)});
}

BOOST_AUTO_TEST_CASE(match_04_port) {
  if (lab_is_missing()) return;
  check_allows("port", MatchCriteria::port(443), {tcp(kHere, 443), udp(kHere, 443)},
               {tcp(kHere, 9000)});
}

BOOST_AUTO_TEST_CASE(match_05_port_range) {
  if (lab_is_missing()) return;
  check_allows("port_range", MatchCriteria::port_range(9000, 9001),
               {tcp(kHere, 9000), tcp(kHere, 9001)}, {tcp(kHere, 9010)});
}

BOOST_AUTO_TEST_CASE(match_06_protocol) {
  if (lab_is_missing()) return;
  check_allows("protocol", MatchCriteria::protocol(Protocol::Udp), {udp(kHere, 9000)},
               {tcp(kHere, 9000)});
}

BOOST_AUTO_TEST_CASE(match_07_domain_exact) {
  if (lab_is_missing()) return;
  lab().under(deny().rule(PolicyAction::Allow,
                          MatchCriteria::domain(DomainPattern::exact("exact.row.test"))));
  name_is_known("exact.row.test", "203.0.113.84");
  lab().expect("domain exact", "ok", tls("203.0.113.84", 443, "exact.row.test"));
  lab().expect("domain exact: another name", "reset", tls("203.0.113.84", 443, "other.test"));
}

BOOST_AUTO_TEST_CASE(match_08_domain_wildcard) {
  if (lab_is_missing()) return;
  lab().under(deny().rule(PolicyAction::Allow,
                          MatchCriteria::domain(DomainPattern::wildcard("*.wild.row.test"))));
  name_is_known("a.wild.row.test", "203.0.113.85");
  lab().expect("domain wildcard", "ok", tls("203.0.113.85", 443, "a.wild.row.test"));
  lab().expect("domain wildcard: itself", "refused", dns("wild.row.test"));
}

BOOST_AUTO_TEST_CASE(match_09_all) {
  if (lab_is_missing()) return;
  check_allows("all",
               MatchCriteria::all({MatchCriteria::ip(kHere), MatchCriteria::port(9000),
                                   MatchCriteria::protocol(Protocol::Tcp)}),
               {tcp(kHere, 9000)}, {tcp(kHere, 9001), tcp(kThere, 9000), udp(kHere, 9000)});
}

BOOST_AUTO_TEST_SUITE_END()
