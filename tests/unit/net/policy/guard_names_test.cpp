#include <boost/test/unit_test.hpp>
#include <tests/unit/net/policy/guard_kit.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_policy_guard_names)

NetworkPolicy only_a() {
  return NetworkPolicy::deny_all().allow_domain("a.com");
}

std::string request(std::string_view host) {
  return "GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}

BOOST_AUTO_TEST_CASE(a_flow_that_is_allowed_by_its_name_carries_it) {
  struct Case {
    const char* name;
    std::uint16_t port;
    std::string first;
    const char* expected;
    const char* reason;
  };
  const char* mismatch = "another name than the flow is allowed by";
  const char* missing = "no name in a flow that is allowed by its name";
  const char* bad = "a malformed start of a flow that is allowed by its name";
  const Case cases[] = {
      {"SNI", 443, client_hello("a.com"), "forward", ""},
      {"SNI in capitals", 443, client_hello("A.COM"), "forward", ""},
      {"SNI of another", 443, client_hello("b.com"), "reset denied", mismatch},
      {"SNI below", 443, client_hello("x.a.com"), "reset denied", mismatch},
      {"no SNI", 443, record(handshake(hello_body(""))), "reset denied", missing},
      {"ECH", 443, record(handshake(hello_body(sni("a.com") + extension(0xfe0d, "x")))),
       "reset denied", "an encrypted name in a flow that is allowed by its name"},
      {"TLS elsewhere", 8443, client_hello("b.com"), "reset denied", mismatch},
      {"Host", 80, request("a.com"), "forward", ""},
      {"Host with port", 8080, request("a.com:8080"), "forward", ""},
      {"Host of another", 80, request("b.com"), "reset denied", mismatch},
      {"Host is the address", 80, request("198.51.100.1"), "reset denied", mismatch},
      {"no Host", 80, "GET / HTTP/1.0\r\n\r\n", "reset denied", missing},
      {"two Hosts", 80, "GET / HTTP/1.1\r\nHost: a.com\r\nHost: b.com\r\n\r\n", "reset denied",
       bad},
      {"no TLS at 443", 443, "tunnel\x01", "reset denied", bad},
      {"no HTTP at 80", 80, std::string("\x01\x02", 2), "reset denied", bad},
      {"SSH", 22, "SSH-2.0-OpenSSH_9.2\r\n", "forward", ""},
  };
  for (const auto& test : cases) {
    Bench bench(only_a());
    bench.pin("a.com", kSite);
    BOOST_TEST(bench.talk(kSite, test.port, test.first) == test.expected, test.name);
    BOOST_TEST(bench.last.to_network.empty() == bench.last.forwards());
    BOOST_TEST(bench.why() == test.reason, test.name);
  }
}

BOOST_AUTO_TEST_CASE(a_name_split_over_segments_is_found_at_every_cut) {
  for (const auto& [hello, expected] : {std::pair(client_hello("a.com"), "forward"),
                                        std::pair(client_hello("b.com"), "reset denied")}) {
    for (std::size_t cut = 1; cut < hello.size(); ++cut) {
      Bench bench(only_a());
      bench.pin("a.com", kSite);
      const std::string text = hello;
      const std::string first = bench.talk(kSite, 443, text.substr(0, cut));
      const std::string second =
          first == "forward" ? bench.say(kSite, 443, text.substr(cut)) : first;
      BOOST_TEST_REQUIRE(second == expected, "cut at " << cut);
    }
  }
}

BOOST_AUTO_TEST_CASE(gaps_overlaps_and_urgent_data_hide_nothing) {
  const std::string good = client_hello("a.com");
  const std::string evil = client_hello("b.com");
  Bench bench(only_a());
  bench.pin("a.com", kSite);
  // Behind a gap nothing passes; in order all does.
  bench.talk(kSite, 443, "");
  const auto start = bench.sequence;
  BOOST_TEST(bench.say_at(kSite, 443, start + 10, good.substr(10)) == "drop out_of_order");
  BOOST_TEST(bench.say_at(kSite, 443, start, good.substr(0, 20)) == "forward");
  BOOST_TEST(bench.say_at(kSite, 443, start + 10, good.substr(10)) == "forward");
  // It has not arrived for sure: the same again may pass, another may not.
  BOOST_TEST(bench.say_at(kSite, 443, start, good) == "forward");
  BOOST_TEST(bench.say_at(kSite, 443, start, evil) == "reset denied");
  // Once it has, what is behind it is nobody's business.
  bench.talk(kSite, 443, good);
  BOOST_TEST(bench.guard.held_bytes() == good.size());
  bench.hear(kSite, 443);
  BOOST_TEST(bench.guard.held_bytes() == 0U);
  BOOST_TEST(bench.say(kSite, 443, "anything") == "forward");
  // A new connection of the same ports says its name anew, even with the same number.
  BOOST_TEST(bench.send(build_tcp(kOut, {kVm, kSite}, {bench.port, 443, 100, 0, tcp_flag::kSyn})) ==
             "forward");
  BOOST_TEST(bench.say_at(kSite, 443, 101, evil) == "reset denied");
  bench.talk(kSite, 443, "");
  BOOST_TEST(bench.say_at(kSite, 443, bench.sequence, good, tcp_flag::kAck | tcp_flag::kUrg) ==
             "reset denied");
  // Data on a SYN is looked at.
  BOOST_TEST(bench.send(build_tcp(kOut, {kVm, kSite}, {41, 443, 7, 0, tcp_flag::kSyn},
                                  bytes(evil))) == "reset denied");
}

BOOST_AUTO_TEST_CASE(a_pin_counts_when_a_flow_begins_and_no_longer) {
  Bench bench(only_a());
  BOOST_TEST(bench.syn(kSite, 443) == "reset denied");  // a raw address
  bench.pin("a.com", kSite, 1s);
  bench.now += 4s;
  BOOST_TEST(bench.talk(kSite, 443, client_hello("a.com")) == "forward");
  bench.now += 2s;
  BOOST_TEST(bench.say(kSite, 443, "still there") == "forward");  // expired mid-flow
  bench.guard.set_policy(only_a().allow_dns());
  BOOST_TEST(bench.say(kSite, 443, "and after a swap") == "forward");
  BOOST_TEST(bench.syn(kSite, 443) == "reset denied");  // expired before the SYN
  // Another VM's pin is none of this one's.
  Bench other(only_a());
  BOOST_TEST(other.syn(kSite, 443) == "reset denied");
}

BOOST_AUTO_TEST_CASE(names_are_tied_to_their_addresses) {
  Bench bench(NetworkPolicy::deny_all().allow_domain("a.com").allow_domain("b.com"));
  bench.pin("a.com", kSite);
  bench.pin("b.com", ip("198.51.100.2"));
  BOOST_TEST(bench.talk(kSite, 443, client_hello("b.com")) == "reset denied");
  bench.pin("b.com", kSite);
  BOOST_TEST(bench.talk(kSite, 443, client_hello("a.com")) == "forward");
  Bench two(NetworkPolicy::deny_all().allow_domain("a.com").deny_domain("evil.com"));
  two.pin("a.com", kSite);
  two.pin("evil.com", kSite);
  BOOST_TEST(two.talk(kSite, 443, client_hello("a.com")) == "forward");
  BOOST_TEST(two.talk(kSite, 443, client_hello("evil.com")) == "reset denied");
}

BOOST_AUTO_TEST_CASE(a_denied_name_is_denied_at_any_address) {
  Bench bench(NetworkPolicy::allow_all().deny_domain("evil.com"));
  BOOST_TEST(bench.syn(kSite, 443) == "reset denied");  // DoH and all by a raw address
  bench.pin("a.com", kSite);
  BOOST_TEST(bench.talk(kSite, 443, client_hello("a.com")) == "forward");
  BOOST_TEST(bench.talk(kSite, 443, client_hello("evil.com")) == "reset denied");
  BOOST_TEST(bench.why() == "rule 1: deny domain evil.com");
  BOOST_TEST(bench.talk(kSite, 443, client_hello("other.com")) == "forward");
  BOOST_TEST(bench.talk(kSite, 9999, "anything") == "forward");
}

BOOST_AUTO_TEST_CASE(quic_carries_no_name_that_anybody_sees) {
  const std::string initial = std::string("\xc3\x00\x00\x00\x01", 5) + std::string(1200, 'x');
  Bench bench(only_a());
  bench.pin("a.com", kSite);
  BOOST_TEST(bench.udp(kSite, 443, initial) == "prohibited denied");
  BOOST_TEST(bench.why() == "QUIC, which hides the name that a rule needs");
  BOOST_TEST(bench.udp(kSite, 8443, initial) == "prohibited denied");
  BOOST_TEST(bench.udp(kSite, 123, "ntp") == "forward");
  bench.guard.set_policy(only_a().allow_ip(kSite));
  BOOST_TEST(bench.udp(kSite, 443, initial) == "forward");
}

BOOST_AUTO_TEST_CASE(ways_around_the_resolver_are_closed) {
  Bench bench(NetworkPolicy::allow_all().allow_ip("8.8.8.8"));
  BOOST_TEST(bench.udp(ip("8.8.8.8"), 53) == "prohibited denied");
  BOOST_TEST(bench.syn(ip("8.8.8.8"), 53) == "reset denied");
  BOOST_TEST(bench.syn(ip("8.8.8.8"), 853) == "forward");
  Bench strict(only_a());
  BOOST_TEST(strict.syn(ip("8.8.8.8"), 853) == "reset denied");
  BOOST_TEST(strict.syn(ip("8.8.8.8"), 443) == "reset denied");
}

BOOST_AUTO_TEST_CASE(a_policy_that_begins_to_ask_for_names_knows_those_of_live_flows) {
  Bench bench(NetworkPolicy::allow_all());
  bench.pin("a.com", kSite);
  bench.talk(kSite, 443, client_hello("a.com"));
  bench.hear(kSite, 443);
  bench.guard.set_policy(only_a());
  BOOST_TEST(bench.say(kSite, 443, "x") == "forward");
  bench.guard.set_policy(NetworkPolicy::allow_all());
  bench.talk(kSite, 443, client_hello("b.com"));
  bench.hear(kSite, 443);
  bench.guard.set_policy(only_a());
  BOOST_TEST(bench.say(kSite, 443, "x") == "reset denied");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
