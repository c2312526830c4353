#include <boost/test/unit_test.hpp>
#include <tests/unit/net/policy/guard_kit.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_policy_guard)

NetworkPolicy deny() {
  return NetworkPolicy::deny_all();
}
NetworkPolicy allow() {
  return NetworkPolicy::allow_all();
}

BOOST_AUTO_TEST_CASE(the_gateways_services_are_reached_under_any_policy) {
  Bench bench(deny());
  const EthernetFields all{MacAddress::broadcast(), kGuestMac};
  BOOST_TEST(bench.send(build_udp(all, {ip("0.0.0.0"), ip("255.255.255.255")}, 68, 67, {})) ==
             "forward");
  BOOST_TEST(bench.send(build_arp(all, {1, kGuestMac, kVm, {}, kGateway})) == "forward");
  BOOST_TEST(bench.send(build_arp(all, {1, kGuestMac, ip("0.0.0.0"), {}, kVm})) == "forward");
  BOOST_TEST(bench.udp(kGateway, 53) == "forward");
  BOOST_TEST(bench.syn(kGateway, 53) == "forward");
  BOOST_TEST(bench.send(build_icmp(kOut, {kVm, kGateway}, 8, 0, 1, {})) == "forward");
  const EthernetFields group{MacAddress({0x33, 0x33, 0xff, 0, 0, 2}), kGuestMac};
  BOOST_TEST(bench.send(build_icmp(group, {ip("fe80::15"), ip("ff02::1:ff00:2"), 255}, 135, 0, 0,
                                   bytes(std::string(16, 'x')))) == "forward");
  BOOST_TEST(bench.get(build_udp(kIn, {kGateway, kVm}, 53, 5000, {})) == "forward");
  BOOST_TEST(bench.get(build_udp(kIn, {kGateway, ip("255.255.255.255")}, 67, 68, {})) == "forward");
  BOOST_TEST(bench.get(build_arp(kIn, {2, kGatewayMac, kGateway, kGuestMac, kVm})) == "forward");
  BOOST_TEST(bench.why() == "");
  BOOST_TEST(bench.syn(kGateway, 80) == "reset denied");
  BOOST_TEST(bench.udp(kGateway, 69) == "prohibited denied");
}

BOOST_AUTO_TEST_CASE(a_denied_flow_is_answered_and_told_once) {
  Bench bench(deny().deny_ip(kSite));
  BOOST_TEST(bench.syn(kSite, 80) == "reset denied");
  const Packet reset = parsed(bench.last.to_guest);
  BOOST_TEST((reset.from == kSite && reset.tcp_acknowledgment == 101));
  for (int i = 0; i < 100; ++i)
    BOOST_TEST(bench.udp(kSite, 99) == "prohibited denied");
  BOOST_TEST(bench.send(build_icmp(kOut, {kVm, kSite}, 8, 0, 1, {})) == "prohibited denied");
  BOOST_TEST(bench.send(build_ip(kOut, {kVm, kSite}, 47, bytes("gre"))) == "prohibited denied");
  const auto events = bench.guard.denials().take();
  BOOST_TEST_REQUIRE(events.size() == 4U);
  BOOST_TEST(events[0].reason == "rule 1: deny ip 198.51.100.1");
  BOOST_TEST((events[0].to == kSite && events[0].port == 80 && events[0].ip_protocol == 6));
  BOOST_TEST(events[3].reason == "a protocol other than TCP, UDP and ping");
  BOOST_TEST(bench.guard.stats().repeated_denials == 99U);
  bench.now += 5s;
  bench.udp(kSite, 99);
  BOOST_TEST(bench.guard.denials().take().size() == 1U);
}

BOOST_AUTO_TEST_CASE(every_flow_is_told_when_it_begins_and_when_it_is_denied) {
  auto config = guard_config(deny().allow_ip(kSite));
  config.forwards = {{Protocol::Tcp, 80}};
  Bench bench(std::move(config));
  std::vector<FlowBegin> told;
  bench.guard.on_flow([&](const FlowBegin& flow) { told.push_back(flow); });
  bench.syn(kSite, 443);
  bench.syn_ack(kSite, 443);
  bench.say(kSite, 443, "more");
  bench.syn(ip("198.51.100.9"), 443);
  bench.get(build_tcp(kIn, {kSite, kVm}, {5555, 80, 1, 0, tcp_flag::kSyn}));
  BOOST_TEST_REQUIRE(told.size() == 3U);
  BOOST_TEST(told[0].allowed);
  BOOST_TEST((told[0].from == kVm && told[0].to == kSite && told[0].to_port == 443));
  BOOST_TEST(told[0].reason == "rule 1: allow ip 198.51.100.1");
  BOOST_TEST(!told[1].allowed);
  BOOST_TEST(told[1].reason == "the default: deny");
  BOOST_TEST(told[2].allowed);
  BOOST_TEST((told[2].from == kSite && told[2].from_port == 5555 && told[2].to == kVm));
  BOOST_TEST(told[2].reason == "a port forward");
  // A live flow that a new policy cuts off, with its next packet.
  bench.guard.set_policy(deny());
  bench.port -= 1;
  bench.say(kSite, 443, "denied now");
  BOOST_TEST_REQUIRE(told.size() == 4U);
  BOOST_TEST(!told[3].allowed);
  bench.guard.on_flow(nullptr);
  bench.syn(kSite, 444);
  BOOST_TEST(told.size() == 4U);
}

BOOST_AUTO_TEST_CASE(spoofed_frames_are_dropped_and_counted) {
  Bench bench(allow());
  const EthernetFields other{kGatewayMac, MacAddress({0x52, 0x54, 0, 0, 0, 9})};
  BOOST_TEST(bench.send(build_udp(other, {kVm, kSite}, 1, 2, {})) == "drop spoofed_mac");
  BOOST_TEST(bench.send(build_udp(kOut, {ip("10.0.2.16"), kSite}, 1, 2, {})) == "drop spoofed_ip");
  BOOST_TEST(bench.send(build_udp(kOut, {ip("0.0.0.0"), kSite}, 1, 2, {})) == "drop spoofed_ip");
  BOOST_TEST(bench.send(build_udp(kOut, {ip("fd01::15"), ip("2001:db8::1")}, 1, 2, {})) ==
             "drop spoofed_ip");
  BOOST_TEST(bench.send(build_udp(kOut, {ip("fd00::2"), ip("2001:db8::1")}, 1, 2, {})) ==
             "drop spoofed_ip");
  BOOST_TEST(bench.send(build_udp(kOut, {ip("fd00::15"), ip("2001:db8::1")}, 1, 2, {})) ==
             "forward");
  const EthernetFields all{MacAddress::broadcast(), kGuestMac};
  BOOST_TEST(bench.send(build_arp(all, {2, kGuestMac, kGateway, {}, kVm})) == "drop spoofed_arp");
  BOOST_TEST(bench.send(build_arp(all, {1, kGatewayMac, kVm, {}, kGateway})) == "drop spoofed_arp");
  BOOST_TEST(bench.send(build_arp(all, {2, kGuestMac, ip("0.0.0.0"), {}, kVm})) ==
             "drop spoofed_arp");
  BOOST_TEST(bench.send(build_udp(all, {kVm, kSite}, 1, 2, {})) == "drop bad_target");
  BOOST_TEST(bench.guard.stats().dropped_for(DropReason::SpoofedIp) == 4U);
  BOOST_TEST(bench.guard.stats().dropped_for(DropReason::SpoofedArp) == 3U);
  BOOST_TEST(bench.guard.flows().size() == 1U);
  // Without a lease the guest is nobody.
  bench.guard.set_ipv4(std::nullopt);
  BOOST_TEST(bench.udp(kSite, 99) == "drop spoofed_ip");
}

BOOST_AUTO_TEST_CASE(what_nobody_needs_is_dropped) {
  Bench bench(allow());
  auto fragment = build_udp(kOut, {kVm, kSite}, 1, 2, bytes("data"));
  wire::store16(fragment, 20, 0x0001);
  fix_ipv4_checksum(fragment);
  BOOST_TEST(bench.send(fragment) == "drop fragment");
  auto options = build_udp(kOut, {kVm, kSite}, 1, 2, {});
  options.insert(options.begin() + 34, 4, std::byte{1});
  wire::store8(options, 14, 0x46);
  wire::store16(options, 16, static_cast<std::uint16_t>(options.size() - 14));
  fix_ipv4_checksum(options);
  BOOST_TEST(bench.send(options) == "drop ip_options");
  auto tagged = build_udp(kOut, {kVm, kSite}, 1, 2, {});
  wire::store16(tagged, 12, 0x8100);
  BOOST_TEST(bench.send(tagged) == "drop unparsable");
  BOOST_TEST(bench.guard.stats().unparsable[static_cast<std::size_t>(ParseProblem::Tagged)] == 1U);
  const EthernetFields all{MacAddress::broadcast(), kGuestMac};
  BOOST_TEST(bench.send(build_udp(all, {kVm, ip("255.255.255.255")}, 67, 68, {})) ==
             "drop rogue_service");
  const EthernetFields group{MacAddress({0x33, 0x33, 0, 0, 0, 1}), kGuestMac};
  BOOST_TEST(bench.send(build_icmp(group, {ip("fe80::15"), ip("ff02::1"), 255}, 134, 0, 0, {})) ==
             "drop rogue_service");
  BOOST_TEST(bench.send(build_ip(kOut, {kVm, kSite}, 2, bytes("igmp"))) == "drop group_control");
  BOOST_TEST(bench.say_at(kSite, 80, 1, "", tcp_flag::kSyn | tcp_flag::kFin) == "drop bad_flags");
  BOOST_TEST(bench.say_at(kSite, 80, 1, "", 0) == "drop bad_flags");
  BOOST_TEST(bench.say_at(kSite, 80, 1, "late") == "reset no_flow");
}

BOOST_AUTO_TEST_CASE(only_answers_of_who_was_asked_come_in) {
  Bench bench(allow());
  BOOST_TEST(bench.get(build_udp(kIn, {kSite, kVm}, 99, 5000, {})) == "drop no_flow");
  BOOST_TEST(bench.udp(kSite, 99) == "forward");
  BOOST_TEST(bench.get(build_udp(kIn, {kSite, kVm}, 99, 5000, {})) == "forward");
  BOOST_TEST(bench.get(build_udp(kIn, {kSite, kVm}, 98, 5000, {})) == "drop no_flow");
  BOOST_TEST(bench.get(build_udp(kIn, {ip("198.51.100.2"), kVm}, 99, 5000, {})) == "drop no_flow");
  BOOST_TEST(bench.get(build_udp(kIn, {kSite, ip("10.0.2.16")}, 99, 5000, {})) ==
             "drop bad_target");
  bench.now += 120s;
  BOOST_TEST(bench.get(build_udp(kIn, {kSite, kVm}, 99, 5000, {})) == "drop no_flow");
  BOOST_TEST(bench.get(build_tcp(kIn, {kSite, kVm}, {80, 22, 1, 0, tcp_flag::kSyn})) ==
             "drop no_flow");
  BOOST_TEST(!bench.last.to_network.empty());  // a reset for who knocks
  // An error about a flow belongs to it.
  const auto udp = build_udp(kOut, {kVm, kSite}, 5000, 99, bytes("x"));
  bench.send(udp);
  const auto about = std::span(udp).subspan(14);
  BOOST_TEST(bench.get(build_icmp(kIn, {kGateway, kVm}, 3, 3, 0, about)) == "forward");
  bench.guard.reset();
  BOOST_TEST(bench.get(build_icmp(kIn, {kGateway, kVm}, 3, 3, 0, about)) == "drop no_flow");
}

BOOST_AUTO_TEST_CASE(a_forward_is_answered_although_everything_is_denied) {
  GuardConfig config = guard_config(deny());
  config.forwards = {{Protocol::Tcp, 80}};
  Bench bench(std::move(config));
  const auto knock = build_tcp(kIn, {kGateway, kVm}, {3333, 80, 1, 0, tcp_flag::kSyn});
  BOOST_TEST(bench.get(knock) == "forward");
  const auto answer =
      build_tcp(kOut, {kVm, kGateway}, {80, 3333, 9, 2, tcp_flag::kSyn | tcp_flag::kAck});
  BOOST_TEST(bench.send(answer) == "forward");
  bench.guard.set_policy(deny().deny_port(3333));
  BOOST_TEST(bench.send(answer) == "forward");
  BOOST_TEST(bench.get(build_tcp(kIn, {kGateway, kVm}, {3333, 81, 1, 0, tcp_flag::kSyn})) ==
             "drop no_flow");
  BOOST_TEST(bench.get(build_udp(kIn, {kSite, kVm}, 1, 80, {})) == "drop no_flow");
}

BOOST_AUTO_TEST_CASE(a_swapped_policy_holds_for_live_flows) {
  Bench bench(allow());
  BOOST_TEST(bench.talk(kSite, 80, "x") == "forward");
  bench.udp(kSite, 99);
  bench.guard.set_policy(deny().allow_port(80));
  BOOST_TEST(bench.say(kSite, 80, "y") == "forward");
  BOOST_TEST(bench.udp(kSite, 99) == "prohibited denied");
  bench.guard.set_policy(deny());
  BOOST_TEST(bench.hear(kSite, 80) == "reset denied");
  BOOST_TEST(parsed(bench.last.to_guest).from == kSite);
  BOOST_TEST((parsed(bench.last.to_network).tcp_flags & tcp_flag::kRst) != 0);
  BOOST_TEST(bench.why() == "the default: deny");
  BOOST_TEST(bench.say(kSite, 80, "z") == "reset no_flow");
  // By the guest's own packet both sides are ended too.
  bench.guard.set_policy(allow());
  bench.talk(kSite, 80, "x");
  bench.guard.set_policy(deny());
  BOOST_TEST(bench.say(kSite, 80, "z") == "reset denied");
  BOOST_TEST(parsed(bench.last.to_network).from == kVm);
}

BOOST_AUTO_TEST_CASE(flows_over_the_cap_are_refused_and_told) {
  Bench bench(allow());
  for (std::size_t i = 0; i < FlowTable::kMaxTcp; ++i) {
    BOOST_TEST_REQUIRE(bench.syn(kSite, 80) == "forward");
    bench.syn_ack(kSite, 80);
  }
  BOOST_TEST(bench.syn(kSite, 80) == "reset denied");
  BOOST_TEST(bench.why() == "too many flows at once");
  for (std::uint16_t i = 0; i < FlowTable::kMaxPing; ++i)
    bench.send(build_icmp(kOut, {kVm, kSite}, 8, 0, std::uint32_t{i} << 16, {}));
  BOOST_TEST(bench.send(build_icmp(kOut, {kVm, kSite}, 8, 0, 99U << 16, {})) ==
             "prohibited denied");
}

BOOST_AUTO_TEST_CASE(peers_are_reached_under_the_policy_and_may_come) {
  GuardConfig config = guard_config(deny().allow_port(80));
  config.network.peers = {IpNetwork::parse("10.0.2.0/24").value()};
  Bench bench(std::move(config));
  const auto peer = ip("10.0.2.16");
  BOOST_TEST(bench.syn(peer, 80) == "forward");
  BOOST_TEST(bench.syn(peer, 81) == "reset denied");
  BOOST_TEST(bench.get(build_tcp(kIn, {peer, kVm}, {3333, 22, 1, 0, tcp_flag::kSyn})) == "forward");
  BOOST_TEST(bench.get(build_tcp(kIn, {kGateway, kVm}, {3333, 22, 1, 0, tcp_flag::kSyn})) ==
             "drop no_flow");
}

BOOST_AUTO_TEST_CASE(a_log_rule_records_flows_once) {
  Bench bench(deny().rule(PolicyAction::Log, MatchCriteria::any()).allow_port(80));
  bench.talk(kSite, 80, "x");
  bench.say(kSite, 80, "y");
  bench.syn(kSite, 81);
  const auto entries = bench.guard.log().take();
  BOOST_TEST_REQUIRE(entries.size() == 2U);
  BOOST_TEST((entries[0].allowed && !entries[1].allowed));
  BOOST_TEST((entries[0].rules == std::vector<std::size_t>{0}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
