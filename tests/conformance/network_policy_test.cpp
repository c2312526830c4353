#include <boost/test/unit_test.hpp>
#include <tests/conformance/net_policy_lab.hpp>
#include <thread>

using namespace capsa;
using namespace capsa::test;
using namespace std::chrono_literals;

namespace {

/// Before anything else: see NetLab.
struct Setup {
  Setup() { NetLab::instance(); }
};
BOOST_TEST_GLOBAL_FIXTURE(Setup);

PolicyLab& lab() {
  return PolicyLab::instance();
}

NetworkPolicy deny() {
  return NetworkPolicy::deny_all();
}
NetworkPolicy allow() {
  return NetworkPolicy::allow_all();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_policy)

BOOST_AUTO_TEST_CASE(that_denies_all_denies_all_at_once) {
  lab().under(deny());
  lab().dns.set("plain.test", "203.0.113.1");
  lab().expect("deny all: TCP", "refused", tcp("203.0.113.1", 9000));
  lab().expect_denial("  its event", {"tcp 10.0.2.15 -> 203.0.113.1:9000", "the default: deny"});
  lab().expect("deny all: UDP", "unreachable", udp("203.0.113.1", 9000));
  lab().expect_denial("  its event", {"udp 10.0.2.15 -> 203.0.113.1:9000", "the default: deny"});
  lab().expect("deny all: TCP over IPv6", "refused", tcp("2001:db8:113::1", 9000));
  lab().expect("deny all: UDP over IPv6", "unreachable", udp("2001:db8:113::1", 9000));
  lab().expect("deny all: question", "refused", dns("plain.test"));
  lab().expect_denial("  its event", {"plain.test", "the default: deny"});
  lab().expect_that("  and it never left the host", lab().dns.asked("plain.test") == 0, "");
  const auto ping = lab().guest().sh("ping -c 1 -W 1 203.0.113.1");
  lab().expect_that("deny all: ping", ping.find("status 1") == 0, ping.substr(0, 9));
  lab().expect_denial("  its event", {"icmp 10.0.2.15 -> 203.0.113.1", "the default: deny"});
  const auto gateway = lab().guest().sh("ping -c 1 -W 1 10.0.2.2");
  lab().expect_that("deny all: ping of the gateway", gateway.find("status") != 0, "");
}

BOOST_AUTO_TEST_CASE(decides_by_addresses_ports_and_order) {
  lab().under(allow());
  lab().expect("allow all: TCP", "ok", tcp("203.0.113.2", 9000));
  lab().expect("allow all: UDP", "ok", udp("203.0.113.2", 9000));
  lab().expect("allow all: TCP over IPv6", "ok", tcp("2001:db8:113::2", 9000));
  lab().expect("allow all: UDP over IPv6", "ok", udp("2001:db8:113::2", 9000));
  lab().under(deny().allow_ip("203.0.113.2"));
  lab().expect("one address: it", "ok", tcp("203.0.113.2", 9000));
  lab().expect("one address: its neighbour", "refused", tcp("203.0.113.3", 9000));
  lab().under(deny().allow_ip("203.0.113.2").deny_ip_range("203.0.113.0", 24));
  lab().expect("allow, then deny its network", "ok", tcp("203.0.113.2", 9000));
  lab().under(deny().deny_ip_range("203.0.113.0", 24).allow_ip("203.0.113.2"));
  lab().expect("deny its network, then allow", "refused", tcp("203.0.113.2", 9000));
  lab().expect_denial("  its event", {"rule 1: deny ip 203.0.113.0/24"});
  lab().under(deny().rule(PolicyAction::Allow, MatchCriteria::port_range(9000, 9001)));
  lab().expect("ports 9000-9001: first", "ok", tcp("203.0.113.2", 9000));
  lab().expect("ports 9000-9001: last", "ok", tcp("203.0.113.2", 9001));
  lab().expect("ports 9000-9001: behind", "refused", tcp("203.0.113.2", 9010));
  const auto ping = lab().guest().sh("ping -c 1 -W 1 203.0.113.2");
  lab().expect_that("ports: no ping", ping.find("status 1") == 0, ping.substr(0, 9));
  lab().under(deny().rule(PolicyAction::Allow, MatchCriteria::all({})));
  lab().expect("allow all()", "ok", tcp("203.0.113.2", 9000));
  lab().under(deny().rule(PolicyAction::Log, MatchCriteria::any()).allow_ip("203.0.113.2"));
  lab().expect("log, then allow", "ok", tcp("203.0.113.2", 9000));
  lab().expect_logged("  its entry", {"allowed: tcp 10.0.2.15 -> 203.0.113.2:9000", "by rule 1"});
  lab().expect("log, then the default", "refused", tcp("203.0.113.3", 9000));
  lab().expect_logged("  its entry", {"denied: tcp 10.0.2.15 -> 203.0.113.3:9000", "by rule 1"});
  lab().under(NetworkPolicy::with_default(PolicyAction::Log));
  lab().expect("a default of log", "ok", tcp("203.0.113.2", 9000));
  lab().expect_logged("  its entry", {"allowed: tcp 10.0.2.15 -> 203.0.113.2:9000", "the default"});
}

BOOST_AUTO_TEST_CASE(knows_names) {
  lab().dns.set("api.example.test", "203.0.113.10");
  lab().under(deny().allow_domain("api.example.test"));
  lab().expect("raw address, before any question", "refused",
               tls("203.0.113.10", 443, "api.example.test"));
  lab().expect("exact: question", "noerror", dns("api.example.test"));
  lab().expect("exact: TLS", "ok", tls("203.0.113.10", 443, "api.example.test"));
  lab().expect("exact: TLS, name in other case", "ok",
               tls("203.0.113.10", 443, "API.Example.test"));
  lab().expect("exact: HTTP", "ok", http("203.0.113.10", "api.example.test"));
  lab().expect("exact: HTTP, Host with case, port", "ok",
               http("203.0.113.10", "Api.example.TEST:80"));
  lab().expect("exact: another name", "refused", dns("www.example.test"));
  lab().expect("exact: a name below", "refused", dns("x.api.example.test"));
  lab().expect("exact: the name above", "refused", dns("example.test"));
  lab().expect("question in other case, trailing dot", "noerror", dns("API.example.TEST."));
  lab().under(deny().allow_domain("Api.EXAMPLE.test."));
  lab().expect("pattern in other case, trailing dot", "ok",
               tls("203.0.113.10", 443, "api.example.test"));

  for (const auto* name : {"wild.test", "a.wild.test", "a.b.c.wild.test", "evilwild.test"})
    lab().dns.set(name, "203.0.113.11");
  lab().under(deny().allow_domain("*.wild.test"));
  lab().expect("*.wild.test: apex", "refused", dns("wild.test"));
  lab().expect("*.wild.test: depth 1", "noerror", dns("a.wild.test"));
  lab().expect("*.wild.test: depth 1, TLS", "ok", tls("203.0.113.11", 443, "a.wild.test"));
  lab().expect("*.wild.test: depth 3", "noerror", dns("a.b.c.wild.test"));
  lab().expect("*.wild.test: depth 3, TLS", "ok", tls("203.0.113.11", 443, "a.b.c.wild.test"));
  lab().expect("*.wild.test: evilwild.test", "refused", dns("evilwild.test"));
  lab().expect("*.wild.test: evilwild.test in TLS", "reset",
               tls("203.0.113.11", 443, "evilwild.test"));
  lab().expect("*.wild.test: apex in TLS", "reset", tls("203.0.113.11", 443, "wild.test"));
  const std::string label(63, 'a');
  lab().expect("a name of 254 bytes", "formerr|refused|servfail",
               dns(label + "." + label + "." + label + "." + label.substr(0, 52) + ".wild.test"));
}

BOOST_AUTO_TEST_CASE(follows_aliases_from_the_question) {
  lab().dns.set_chain("one.alias.test", 1, "203.0.113.20");
  lab().dns.set_chain("eight.alias.test", 8, "203.0.113.21");
  lab().dns.set_chain("nine.alias.test", 9, "203.0.113.22");
  lab().dns.set("loop.alias.test",
                {{{"loop.alias.test", "CNAME", "b.test"}, {"b.test", "CNAME", "loop.alias.test"}}});
  lab().dns.set("owner.alias.test", {{{"evil.test", "A", "203.0.113.23"}}});
  DnsAnswer many;
  for (int i = 0; i < 8; ++i)
    many.records.push_back({"many.alias.test", "A", "203.0.113." + std::to_string(200 + i)});
  lab().dns.set("many.alias.test", many);
  lab().under(deny().allow_domain("*.alias.test"));
  lab().expect("CNAME x1: question", "noerror", dns("one.alias.test"));
  lab().expect("CNAME x1: TLS", "ok", tls("203.0.113.20", 443, "one.alias.test"));
  lab().expect("CNAME x1: the target's name in TLS", "reset",
               tls("203.0.113.20", 443, "link1.chain.test"));
  lab().expect("CNAME x8: question", "noerror", dns("eight.alias.test"));
  lab().expect("CNAME x8: TLS", "ok", tls("203.0.113.21", 443, "eight.alias.test"));
  lab().expect("CNAME x9: question", "servfail", dns("nine.alias.test"));
  lab().expect("CNAME x9: TLS", "refused", tls("203.0.113.22", 443, "nine.alias.test"));
  lab().expect("CNAME loop: question", "servfail", dns("loop.alias.test"));
  const auto foreign = lab().expect("record of another owner: question", "noerror|servfail",
                                    dns("owner.alias.test"));
  lab().expect_that("  gives no address", foreign.find("A=") == std::string::npos, foreign);
  lab().expect("record of another owner: TLS", "refused",
               tls("203.0.113.23", 443, "owner.alias.test"));
  lab().expect("many A: question", "noerror", dns("many.alias.test"));
  lab().expect("many A: first, TLS", "ok", tls("203.0.113.200", 443, "many.alias.test"));
  lab().expect("many A: last, TLS", "ok", tls("203.0.113.207", 443, "many.alias.test"));
  lab().dns.set("forged.alias.test", {{{"forged.alias.test", "A", "203.0.113.66"}}, true});
  lab().dns.set("asked.alias.test", {{{"asked.alias.test", "A", "203.0.113.66"}}, false, true});
  lab().expect("an answer with a wrong ID", "servfail", dns("forged.alias.test"));
  lab().expect("an answer to another question", "servfail", dns("asked.alias.test"));
  lab().expect("  their address", "refused", tls("203.0.113.66", 443, "forged.alias.test"));
}

BOOST_AUTO_TEST_CASE(ties_flows_to_their_names) {
  for (const auto* name : {"good.test", "bad.test", "other.test"})
    lab().dns.set(name, "203.0.113.30");
  lab().under(deny().allow_domain("good.test"));
  lab().expect("good.test: question", "noerror", dns("good.test"));
  lab().expect("SNI right", "ok", tls("203.0.113.30", 443, "good.test"));
  lab().expect("SNI missing", "reset", no_sni("203.0.113.30", 443));
  lab().expect_denial("  its event", {"203.0.113.30:443", "no name in a flow"});
  lab().expect("SNI mismatched", "reset", tls("203.0.113.30", 443, "bad.test"));
  lab().expect_denial("  its event", {"203.0.113.30:443 (bad.test)", "another name"});
  lab().expect("SNI right, split in 5", "ok",
               tls("203.0.113.30", 443, "good.test", "(1, 5, 80, 130)"));
  lab().expect("SNI mismatched, split in 5", "reset",
               tls("203.0.113.30", 443, "bad.test", "(1, 5, 80, 130)"));
  lab().expect("HTTP Host right", "ok", http("203.0.113.30", "good.test"));
  lab().expect("HTTP Host right, split", "ok", http("203.0.113.30", "good.test", "(1, 20, 25)"));
  lab().expect("HTTP Host mismatched", "reset", http("203.0.113.30", "bad.test"));
  lab().expect("HTTP Host mismatched, split", "reset",
               http("203.0.113.30", "bad.test", "(1, 20, 25)"));
  lab().expect("HTTP without Host", "reset",
               "tcp('203.0.113.30', 80, b'GET / HTTP/1.1\\r\\nX: y\\r\\n\\r\\n')");
  lab().expect("neither TLS nor HTTP at 443", "reset",
               "tcp('203.0.113.30', 443, b'SSH-2.0-x\\r\\n')");
  lab().expect("another address under domains only", "refused", tcp("203.0.113.31", 443));
  lab().expect_denial("  its event", {"203.0.113.31:443", "the default: deny"});
  lab().under(allow().deny_domain("bad.test"));
  lab().expect("allow all but bad.test: its question", "refused", dns("bad.test"));
  lab().expect_denial("  its event", {"bad.test", "rule 1: deny domain bad.test"});
  lab().expect("allow all but bad.test: question", "noerror", dns("other.test"));
  lab().expect("  other.test at the same address", "ok", tls("203.0.113.30", 443, "other.test"));
  lab().expect("  bad.test at the same address", "reset", tls("203.0.113.30", 443, "bad.test"));
  lab().expect("  bad.test by HTTP", "reset", http("203.0.113.30", "bad.test"));
}

BOOST_AUTO_TEST_CASE(forgets_names_with_their_answers) {
  lab().dns.set("short.test", "203.0.113.40", 1);
  lab().dns.set("zero.test", "203.0.113.41", 0);
  lab().under(deny().allow_domain("short.test").allow_domain("zero.test"));
  lab().expect("TTL 1: question", "noerror", dns("short.test"));
  lab().expect("TTL 1: at once", "ok", tls("203.0.113.40", 443, "short.test"));
  lab().expect("TTL 0: question", "noerror", dns("zero.test"));
  lab().expect("TTL 0: at once", "ok", tls("203.0.113.41", 443, "zero.test"));
  lab().probe("hold('live', '203.0.113.40', 443)");
  lab().expect("TTL 1: a flow begins", "ok", "talk('live', hello('short.test'))");
  std::this_thread::sleep_for(6s);  // the least that an answer counts is 5 s
  lab().expect("TTL 1: expired", "refused", tls("203.0.113.40", 443, "short.test"));
  lab().expect("TTL 1: the live flow goes on", "ok", "talk('live')");
  lab().expect("TTL 1: asked again", "noerror", dns("short.test"));
  lab().expect("TTL 1: reached again", "ok", tls("203.0.113.40", 443, "short.test"));
}

BOOST_AUTO_TEST_CASE(keeps_private_answers_from_the_guest) {
  lab().under(allow());
  for (const auto* inside : {"10.0.0.5", "192.168.1.1", "127.0.0.1", "0.0.0.0", "169.254.169.254",
                             "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1"}) {
    lab().dns.set("rebind.test", inside);
    const bool v6 = std::string(inside).find(':') != std::string::npos;
    const auto seen = lab().expect(std::string("answer ") + inside, "noerror|nxdomain|servfail",
                                   dns("rebind.test", v6 ? ", 28" : ""));
    lab().expect_that("  is kept back", seen.find("A=") == std::string::npos, seen);
  }
  lab().expect_denial("  an event tells it", {"rebind.test", "private addresses"});
  lab().dns.set("mixed.test",
                {{{"mixed.test", "A", "10.0.0.5"}, {"mixed.test", "A", "203.0.113.45"}}});
  const auto mixed = lab().expect("answer 10.0.0.5 and 203.0.113.45", "noerror", dns("mixed.test"));
  lab().expect_that("  only the public one",
                    mixed.find("A=203.0.113.45") != std::string::npos &&
                        mixed.find("10.0.0.5") == std::string::npos,
                    mixed);
}

BOOST_AUTO_TEST_CASE(leaves_no_way_around_the_resolver) {
  lab().dns.set("quic.test", "203.0.113.50");
  lab().dns.set("denied.test", {{{"denied.test", "TXT", "data"}}});
  const auto before = lab().foreign_questions();
  lab().under(allow());
  lab().expect("DNS to 8.8.8.8", "unreachable", dns("quic.test", ", server='8.8.8.8'"));
  lab().expect_denial("  its event", {"8.8.8.8:53", "a resolver other than the gateway's"});
  lab().expect("DNS to 8.8.8.8 over TCP", "refused",
               dns("quic.test", ", server='8.8.8.8', use_tcp=True"));
  lab().expect("DNS to 2001:4860:4860::8888", "unreachable",
               dns("quic.test", ", server='2001:4860:4860::8888'"));
  lab().expect_that("  nothing arrived", lab().foreign_questions() == before, "");
  lab().under(allow().deny_domain("denied.test"));
  lab().expect("TXT of a denied name", "refused", dns("denied.test", ", 16"));
  lab().expect("NULL of a denied name", "refused", dns("denied.test", ", 10"));
  lab().expect("  over TCP", "refused", dns("denied.test", ", 16, use_tcp=True"));
  lab().expect("  over IPv6", "refused", dns("denied.test", ", 16, server=GATEWAY6"));
  lab().expect_that("  they never left the host", lab().dns.asked("denied.test") == 0, "");
  lab().under(deny().allow_domain("quic.test"));
  lab().expect("a domain: question", "noerror", dns("quic.test"));
  lab().expect("a domain: DoT to 8.8.8.8", "refused", tls("8.8.8.8", 853, "dns.google"));
  lab().expect("a domain: DoT at its address, other name", "reset",
               tls("203.0.113.50", 853, "dns.google"));
  lab().expect("a domain: DoH by address", "refused", tls("8.8.8.8", 443, "dns.google"));
  lab().expect("a domain: QUIC", "unreachable", udp("203.0.113.50", 443));
  lab().expect_denial("  its event", {"udp", "203.0.113.50:443", "QUIC"});
}

BOOST_AUTO_TEST_CASE(keeps_the_host_out_of_reach) {
  lab().under(allow());
  for (const auto* own : {"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", NetLab::kHost4,
                          "169.254.169.254", "169.254.1.1", "::1", "::ffff:127.0.0.1",
                          "64:ff9b::7f00:1", "2002:7f00:1::1", NetLab::kHost6})
    lab().expect(std::string("SYN to ") + own, "rst|icmp|none", syn(own, 9000));
  lab().expect_denial("  an event for the loopback", {"127.0.0.1:9000", "the host's loopback"});
  lab().expect_denial("  an event for 0.0.0.0", {"0.0.0.0:9000", "stands for the host"});
  lab().expect_denial("  an event for ::1", {"[::1]:9000", "the host's loopback"});
  lab().expect_denial("  an event for metadata", {"169.254.169.254:9000", "link-local"});
  lab().expect("UDP to 127.0.0.1", "icmp|none", syn("127.0.0.1", 9000, ", proto=17"));
  lab().expect("host's address", "refused", tcp(NetLab::kHost4, 9000));
  lab().expect_denial("  its event", {NetLab::kHost4, "an address of the host"});
  lab().expect("host's IPv6 address", "refused", tcp(NetLab::kHost6, 9000));
  lab().expect("metadata service", "refused", tcp("169.254.169.254", 80));
  lab().expect("the gateway", "refused", tcp("10.0.2.2", 9000));
  for (const auto* inside : {"10.9.9.9", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00:1::1"})
    lab().expect(std::string("somebody's ") + inside, "refused", tcp(inside, 9000));
  lab().under(deny().allow_port(9000).allow_ip_range("198.51.100.0", 30));
  lab().expect("host's address, its network allowed", "refused", tcp(NetLab::kHost4, 9000));
  lab().expect("  the network", "ok", tcp("198.51.100.2", 9000));
  lab().under(deny().allow_ip(NetLab::kHost4).allow_ip(NetLab::kHost6));
  lab().expect("host's address, allowed", "ok", tcp(NetLab::kHost4, 9000));
  lab().expect("host's IPv6 address, allowed", "ok", tcp(NetLab::kHost6, 9000));
  lab().under(deny().allow_ip("169.254.169.254").allow_ip_range("10.0.0.0", 8));
  lab().expect("metadata service, allowed", "ok", tcp("169.254.169.254", 9000));
  lab().expect("somebody's 10.9.9.9, allowed", "ok", tcp("10.9.9.9", 9000));
}

BOOST_AUTO_TEST_CASE(lets_nobody_speak_for_another) {
  lab().under(allow());
  const auto before = lab().guest().network.stats().get().dropped_frames;
  lab().expect("SYN in its own name", "synack", syn("203.0.113.60", 9000));
  lab().expect("SYN with another's IP", "none", syn("203.0.113.60", 9000, ", source='10.0.2.77'"));
  lab().expect("SYN with the gateway's IP", "none", syn("203.0.113.60", 9000, ", source=GATEWAY"));
  lab().expect("SYN with another's MAC", "none",
               syn("203.0.113.60", 9000, ", mac_source=b'\\2\\0\\0\\0\\0\\1'"));
  const auto after = lab().guest().network.stats().get().dropped_frames;
  lab().expect_that("  dropped and counted", after >= before + 3, std::to_string(after - before));
}

BOOST_AUTO_TEST_CASE(that_is_replaced_ends_what_it_denies) {
  lab().under(allow());
  lab().expect("a flow", "ok", "hold('one', '203.0.113.70', 9000)");
  lab().expect("another flow", "ok", "hold('two', '203.0.113.71', 9000)");
  lab().expect("  goes", "ok", "talk('one')");
  lab().under(deny().allow_ip("203.0.113.71"));
  lab().expect("swap: the one denied", "reset", "talk('one')");
  lab().expect_denial("  its event", {"203.0.113.70:9000", "the default: deny"});
  lab().expect("swap: the one allowed", "ok", "talk('two')");
  const auto bad = lab().guest().network.set_policy(deny().allow_ip("no address")).result();
  lab().expect_that("a bad policy is refused",
                    !bad.ok() && bad.error().code() == ErrorCode::InvalidConfig,
                    bad.ok() ? "accepted" : bad.error().message());
  lab().expect("  and the old one stays", "ok", "talk('two')");
}

BOOST_AUTO_TEST_SUITE_END()
