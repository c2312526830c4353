#include <boost/test/unit_test.hpp>
#include <net/policy/dns_judge.hpp>
#include <net/policy/flow_table.hpp>
#include <tests/unit/net/packet/frame_kit.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_policy_tables)

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

const TimePoint kStart{1000s};

BOOST_AUTO_TEST_CASE(an_address_counts_as_all_its_names_for_as_long_as_each_lives) {
  NamePins pins;
  const auto address = ip("198.51.100.1");
  pins.add(address, "a.com", 60s, kStart);
  pins.add(address, "b.com", 120s, kStart);
  BOOST_TEST(pins.names_of(address, kStart).size() == 2U);
  BOOST_TEST((pins.names_of(address, kStart + 60s) == Names{"b.com"}));
  pins.add(address, "b.com", 10s, kStart + 60s);  // never shorter
  BOOST_TEST(pins.names_of(address, kStart + 119s).size() == 1U);
  BOOST_TEST(pins.names_of(address, kStart + 120s).empty());
  BOOST_TEST(pins.names_of(ip("198.51.100.2"), kStart).empty());
}

BOOST_AUTO_TEST_CASE(a_ttl_of_0_and_1_lives_5_seconds_and_a_day_one_hour) {
  for (const auto ttl : {0s, 1s, -5s}) {
    NamePins pins;
    pins.add(ip("198.51.100.1"), "a.com", ttl, kStart);
    BOOST_TEST(pins.names_of(ip("198.51.100.1"), kStart + 4999ms).size() == 1U);
    BOOST_TEST(pins.names_of(ip("198.51.100.1"), kStart + 5s).empty());
  }
  NamePins pins;
  pins.add(ip("198.51.100.1"), "a.com", 86400s, kStart);
  BOOST_TEST(pins.names_of(ip("198.51.100.1"), kStart + 3599s).size() == 1U);
  BOOST_TEST(pins.names_of(ip("198.51.100.1"), kStart + 1h).empty());
}

BOOST_AUTO_TEST_CASE(a_flood_of_pins_stays_bounded_and_pushes_out_the_oldest) {
  NamePins pins;
  const auto last = 20000U;
  for (std::uint32_t i = 0; i <= last; ++i)
    pins.add(IpAddress::v4(0xc6336400U + i), "a.com", 60s, kStart + std::chrono::milliseconds(i));
  BOOST_TEST(pins.size() <= NamePins::kMaxPins);
  BOOST_TEST(pins.evicted() > 0U);
  BOOST_TEST(pins.names_of(IpAddress::v4(0xc6336400U + last), kStart + 21s).size() == 1U);
  BOOST_TEST(pins.names_of(IpAddress::v4(0xc6336400U), kStart + 21s).empty());
  NamePins one;
  for (int i = 0; i < 1000; ++i)
    one.add(ip("198.51.100.1"), "n" + std::to_string(i) + ".com", std::chrono::seconds(60 + i),
            kStart);
  BOOST_TEST(one.size() == NamePins::kMaxNames);
  BOOST_TEST(one.names_of(ip("198.51.100.1"), kStart).size() == NamePins::kMaxNames);
}

BOOST_AUTO_TEST_CASE(private_answers_to_public_names_are_left_out) {
  NetworkContext where;
  where.gateway = {ip("10.0.2.2")};
  where.host_addresses = {ip("203.0.113.7")};
  where.peers = {IpNetwork::parse("10.0.3.0/24").value()};
  auto policy = NetworkPolicy::deny_all().allow_domain("a.com");
  NamePins pins;
  DenialLog denials;
  FlowLog log;
  DnsJudge judge(policy, where, pins, denials, log);
  const std::vector<IpAddress> bad = {
      ip("10.1.2.3"),        ip("127.0.0.1"),         ip("0.0.0.0"),     ip("::ffff:127.0.0.1"),
      ip("64:ff9b::7f00:1"), ip("169.254.169.254"),   ip("192.168.1.1"), ip("10.0.2.2"),
      ip("10.0.3.16"),       ip("203.0.113.7"),       ip("224.0.0.1"),   ip("fd00::1"),
      ip("255.255.255.255"), ip("64:ff9b::10.1.2.3"), ip("::")};
  BOOST_TEST(judge.pin("a.com", bad, 60s, kStart).empty());
  BOOST_TEST(judge.rebindings() == bad.size());
  BOOST_TEST(pins.size() == 0U);
  const std::vector<IpAddress> mixed = {ip("10.1.2.3"), ip("198.51.100.1"), ip("2001:db8::1")};
  BOOST_TEST(judge.pin("A.com.", mixed, 60s, kStart).size() == 2U);  // A and AAAA
  BOOST_TEST((pins.names_of(ip("198.51.100.1"), kStart) == Names{"a.com"}));
  BOOST_TEST((pins.names_of(ip("2001:db8::1"), kStart) == Names{"a.com"}));
  // Our own table of peers is no stranger's answer; nor is one that a rule names.
  const std::vector<IpAddress> peer = {ip("10.0.3.16")};
  BOOST_TEST(judge.pin("db", peer, 60s, kStart, AnswerSource::Own).size() == 1U);
  policy.allow_ip_range("10.1.0.0", 16);
  BOOST_TEST(judge.pin("a.com", bad, 60s, kStart).size() == 2U);  // also in its v6 words
  const std::vector<IpAddress> many(500, ip("198.51.100.9"));
  BOOST_TEST(judge.pin("a.com", many, 60s, kStart).size() == 64U);
}

BOOST_AUTO_TEST_CASE(a_denied_question_is_an_event) {
  NetworkContext where;
  where.gateway = {ip("10.0.2.2")};
  auto policy = NetworkPolicy::deny_all()
                    .rule(PolicyAction::Log, MatchCriteria::any())
                    .deny_domain("*.evil.com");
  NamePins pins;
  DenialLog denials;
  FlowLog log;
  DnsJudge judge(policy, where, pins, denials, log);
  BOOST_TEST(!judge.may_ask("SECRET.evil.com", ip("10.0.2.15"), kStart).allowed);
  const auto events = denials.take();
  BOOST_TEST_REQUIRE(events.size() == 1U);
  BOOST_TEST(events[0].name == "secret.evil.com");
  BOOST_TEST(events[0].reason == "rule 2: deny domain *.evil.com");
  BOOST_TEST((events[0].rule == 1U && events[0].port == 53));
  BOOST_TEST(events[0].to == ip("10.0.2.2"));
  BOOST_TEST(log.take().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_log_keeps_the_last_and_counts_the_lost) {
  DenialLog log;
  std::size_t called = 0;
  log.on_entry([&](const DenialEvent&) { ++called; });
  for (std::uint16_t i = 0; i < 300; ++i) {
    DenialEvent event;
    event.port = i;
    log.add(event);
  }
  BOOST_TEST(called == 300U);
  BOOST_TEST(log.lost() == 300 - DenialLog::kCapacity);
  BOOST_TEST(log.take().front().port == 300 - DenialLog::kCapacity);
}

FlowKey key(std::uint8_t protocol, unsigned n) {
  return {protocol, ip("10.0.2.15"), ip("198.51.100.1"), static_cast<std::uint16_t>(n), 443};
}

BOOST_AUTO_TEST_CASE(live_connections_are_never_pushed_out) {
  FlowTable table;
  for (unsigned i = 0; i < FlowTable::kMaxTcp; ++i)
    BOOST_TEST_REQUIRE(table.open(key(6, i), kStart) != nullptr);
  for (unsigned i = 0; i < FlowTable::kMaxTcp; ++i)
    table.find(key(6, i), kStart)->state = FlowState::Open;
  BOOST_TEST((table.open(key(6, 5000), kStart + 60s) == nullptr));
  BOOST_TEST(table.refused() == 1U);
  BOOST_TEST(table.counts().tcp == FlowTable::kMaxTcp);
  table.find(key(6, 7), kStart + 60s)->state = FlowState::Closed;
  BOOST_TEST((table.open(key(6, 5000), kStart + 61s) != nullptr));
  BOOST_TEST((table.find(key(6, 7), kStart + 61s) == nullptr));
  BOOST_TEST(table.counts().tcp == FlowTable::kMaxTcp);
}

BOOST_AUTO_TEST_CASE(unanswered_and_idle_flows_make_room) {
  FlowTable table;
  for (unsigned i = 0; i < FlowTable::kMaxTcp; ++i)
    table.open(key(6, i), kStart);
  BOOST_TEST((table.open(key(6, 5000), kStart + 1s) == nullptr));
  BOOST_TEST((table.open(key(6, 5000), kStart + 5s) != nullptr));
  for (unsigned i = 0; i < FlowTable::kMaxUdp; ++i)
    table.open(key(17, i), kStart);
  BOOST_TEST((table.open(key(17, 5000), kStart + 29s) == nullptr));
  BOOST_TEST((table.open(key(17, 5000), kStart + 30s) != nullptr));
  for (unsigned i = 0; i < FlowTable::kMaxPing; ++i)
    table.open(key(1, i), kStart);
  BOOST_TEST((table.open(key(1, 5000), kStart + 1s) == nullptr));
  BOOST_TEST((table.open(key(1, 5000), kStart + 2s) != nullptr));
  BOOST_TEST(table.counts().ping == 1U);
}

BOOST_AUTO_TEST_CASE(a_connection_goes_through_its_states_and_times_out_in_each) {
  const auto send = [](std::uint8_t flags) {
    return parsed(build_tcp(kOut, {ip("10.0.2.15"), ip("198.51.100.1")}, {1, 443, 0, 0, flags}));
  };
  FlowTable table;
  Flow* flow = table.open(key(6, 1), kStart);
  FlowTable::saw(*flow, send(tcp_flag::kSyn), 60, true, kStart);
  BOOST_TEST((flow->state == FlowState::Opening));
  FlowTable::saw(*flow, send(tcp_flag::kSyn), 60, true, kStart);
  BOOST_TEST((flow->state == FlowState::Opening));
  FlowTable::saw(*flow, send(tcp_flag::kSyn | tcp_flag::kAck), 60, false, kStart);
  BOOST_TEST((flow->state == FlowState::Open));
  BOOST_TEST((table.find(key(6, 1), kStart + 2h) != nullptr));
  FlowTable::saw(*flow, send(tcp_flag::kFin | tcp_flag::kAck), 60, true, kStart);
  BOOST_TEST((flow->state == FlowState::Closing));
  FlowTable::saw(*flow, send(tcp_flag::kFin | tcp_flag::kAck), 60, false, kStart);
  BOOST_TEST((flow->state == FlowState::Closed));
  BOOST_TEST((flow->packets == 5 && flow->bytes == 300));
  BOOST_TEST((table.find(key(6, 1), kStart + 9s) != nullptr));
  BOOST_TEST((table.find(key(6, 1), kStart + 10s) == nullptr));
  BOOST_TEST(table.size() == 0U);
  Flow* reset = table.open(key(6, 1), kStart);
  FlowTable::saw(*reset, send(tcp_flag::kRst), 60, false, kStart);
  BOOST_TEST((reset->state == FlowState::Closed));
  table.open(key(17, 1), kStart);
  table.sweep(kStart + 120s);
  BOOST_TEST(table.size() == 0U);
  BOOST_TEST((table.counts().tcp == 0 && table.counts().udp == 0));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
