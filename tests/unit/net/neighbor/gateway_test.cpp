#include <net/neighbor/gateway.hpp>
#include <tests/unit/net/dns/wire.hpp>
#include <tests/unit/net/neighbor/frames.hpp>

namespace capsa::net::neighbor {
namespace {

using namespace std::chrono_literals;
using namespace test;

dhcp::ServerOptions dhcp_options() {
  dhcp::ServerOptions out;
  out.server = ip("10.0.2.2");
  out.network = IpNetwork::parse("10.0.2.0/24").value();
  out.first = ip("10.0.2.15");
  out.last = ip("10.0.2.254");
  return out;
}

struct Fixture : dns::StubHost {
  Fixture() { stub.names().add("web", {ip("10.0.2.20")}).value(); }

  // -- dns::StubHost
  bool judge(const dns::Client&, std::string_view) override { return true; }
  void resolved(const dns::Client&, const dns::Resolved&) override {}
  void private_answer(const dns::Client&, std::string_view,
                      const std::vector<IpAddress>&) override {}
  void reply(const dns::Client& client, std::span<const std::byte> message) override {
    gateway.dns_reply(client, message, now, output);
  }
  void ask(const dns::UpstreamQuery& query) override { asked.push_back(query); }
  void forget(std::uint64_t) override {}

  static GatewayOptions gateway_options() {
    return {kGateway, ip("10.0.2.2"), router(), ip("fd00:2::2")};
  }
  bool send(std::span<const std::byte> frame, FrameMeta meta = {}) {
    return gateway.on_frame(frame, meta, now, output);
  }
  bool send_udp(std::string_view from, std::string_view to, std::uint16_t port,
                const Bytes& payload, const MacAddress& mac = kGateway) {
    return send(build_udp({mac, kGuest}, {ip(from), ip(to)}, 5000, port, payload));
  }

  std::vector<FrameBytes> replies;
  std::vector<dns::UpstreamQuery> asked;
  Gateway::Output output = [this](FrameBytes frame) { replies.push_back(std::move(frame)); };
  Gateway::Time now{};
  dhcp::Server server = dhcp::Server::create(dhcp_options()).value();
  dns::DnsStub stub{*this, dns::LocalNames::create("").value()};
  Gateway gateway{gateway_options(), &server, &stub};
};

const Bytes kArpRequest =
    hex("ffffffffffff525400000001080600010800060400015254000000010a00020f0000000000000a000202");

Bytes discover() {
  Bytes out(240);
  const auto put = [&](std::size_t at, const Bytes& data) {
    std::copy(data.begin(), data.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
  };
  put(0, hex("01010600"));
  put(28, hex("525400000001"));
  put(236, hex("63825363"));
  const Bytes options = hex("350101ff");
  out.insert(out.end(), options.begin(), options.end());
  return out;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(net_neighbor_gateway, Fixture)

BOOST_AUTO_TEST_CASE(arp_requests_end_here_and_replies_go_on) {
  BOOST_TEST(send(kArpRequest));
  BOOST_REQUIRE(replies.size() == 1U);
  BOOST_TEST(packet_of(replies[0]).arp_sender_mac == kGateway);
  Bytes other = kArpRequest;
  other.back() = std::byte{9};  // for another guest, which answers by itself
  BOOST_TEST(send(other));
  Bytes reply = kArpRequest;
  reply[21] = std::byte{2};
  BOOST_TEST(!send(reply));
  BOOST_TEST(replies.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_guest_discovers_through_frames) {
  BOOST_TEST(send(build_udp({MacAddress::broadcast(), kGuest},
                            {ip("0.0.0.0"), ip("255.255.255.255")}, 68, 67, discover())));
  BOOST_REQUIRE(replies.size() == 1U);
  const Packet packet = packet_of(replies[0]);
  BOOST_TEST(packet.from == ip("10.0.2.2"));
  BOOST_TEST(packet.to == ip("10.0.2.15"));
  BOOST_TEST(packet.destination_mac == kGuest);
  BOOST_TEST(packet.source_mac == kGateway);
  BOOST_TEST(packet.from_port == 67);
  BOOST_TEST(packet.to_port == 68);
  BOOST_TEST(transport_checksum_ok(replies[0], packet));
  const auto message = dhcp::parse_message(packet.payload_of(replies[0]));
  BOOST_REQUIRE(message);
  BOOST_TEST((message->type() == dhcp::MessageType::Offer));
}

BOOST_AUTO_TEST_CASE(dhcp_to_another_address_is_not_ours) {
  BOOST_TEST(!send_udp("10.0.2.15", "192.0.2.1", 67, discover()));
  BOOST_TEST(replies.empty());
}

BOOST_AUTO_TEST_CASE(a_question_to_the_gateway_is_answered_from_the_address_that_was_asked) {
  for (const auto* asked_at : {"10.0.2.2", "fd00:2::2", "fe80::2"}) {
    const std::string_view from = ip(asked_at).is_v4() ? "10.0.2.15" : "fd00:2::15";
    replies.clear();
    BOOST_TEST(send_udp(from, asked_at, 53, dns::test::query(7, "web")));
    BOOST_REQUIRE(replies.size() == 1U);
    const Packet packet = packet_of(replies[0]);
    BOOST_TEST(packet.from == ip(asked_at));
    BOOST_TEST(packet.to == ip(from));
    BOOST_TEST(packet.from_port == 53);
    BOOST_TEST(packet.to_port == 5000);
    BOOST_TEST(packet.destination_mac == kGuest);
    BOOST_TEST(transport_checksum_ok(replies[0], packet));
    const auto response = dns::parse_response(packet.payload_of(replies[0]));
    BOOST_REQUIRE(response);
    BOOST_TEST(response->answers.size() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(an_answer_from_upstream_finds_its_guest) {
  send_udp("10.0.2.15", "10.0.2.2", 53, dns::test::query(7, "a.example"));
  BOOST_REQUIRE(asked.size() == 1U);
  BOOST_TEST(replies.empty());
  stub.on_upstream(asked[0].key,
                   dns::test::Wire()
                       .header(dns::test::u16_at(asked[0].message, 0), 0x8180, 1, 1)
                       .question("a.example", 1)
                       .address("a.example", "192.0.3.1")
                       .out,
                   now);
  BOOST_REQUIRE(replies.size() == 1U);
  BOOST_TEST(packet_of(replies[0]).destination_mac == kGuest);
}

BOOST_AUTO_TEST_CASE(dns_elsewhere_is_not_answered_here) {
  BOOST_TEST(!send_udp("10.0.2.15", "8.8.8.8", 53, dns::test::query(7, "web")));
  BOOST_TEST(!send(build_tcp({kGateway, kGuest}, {ip("10.0.2.15"), ip("8.8.8.8")},
                             {.from_port = 5000, .to_port = 53, .flags = tcp_flag::kSyn})));
  BOOST_TEST(replies.empty());
}

BOOST_AUTO_TEST_CASE(an_echo_request_to_the_gateway_is_answered_for_both_families) {
  BOOST_TEST(send(build_icmp({kGateway, kGuest}, {ip("10.0.2.15"), ip("10.0.2.2")}, 8, 0, 0x10001,
                             hex("abcdef"))));
  BOOST_TEST(send(build_icmp({kGateway, kGuest}, {ip("fe80::15"), ip("fe80::2")}, 128, 0, 0x10001,
                             hex("abcdef"))));
  BOOST_REQUIRE(replies.size() == 2U);
  for (const auto& reply : replies) {
    const Packet packet = packet_of(reply);
    BOOST_TEST(packet.is_echo_reply());
    BOOST_TEST(packet.destination_mac == kGuest);
    BOOST_TEST(transport_checksum_ok(reply, packet));
  }
  BOOST_TEST(!send(build_icmp({kGateway, kGuest}, {ip("10.0.2.15"), ip("1.1.1.1")}, 8, 0, 1, {})));
}

BOOST_AUTO_TEST_CASE(neighbor_and_router_solicitations_are_answered) {
  BOOST_TEST(send(kSolicitation));
  BOOST_TEST(send(kRouterSolicitation));
  BOOST_TEST((replies == std::vector<FrameBytes>{kAdvertisement, kRouterAdvertisement}));
  BOOST_TEST(send(Solicitation{.to = ip("ff02::1:ff00:9"), .target = ip("fe80::9")}.frame()));
  BOOST_TEST(replies.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_guest_that_plays_the_router_is_heard_by_nobody) {
  for (const std::uint8_t type : {icmp_type::kV6RouterAdvertisement, icmp_type::kV6Redirect})
    BOOST_TEST(send(build_icmp({kGateway, kGuest}, {ip("fe80::15"), ip("fe80::2"), 255}, type, 0, 0,
                               Bytes(40))));
  BOOST_TEST(gateway.stats().dropped == 2U);
  BOOST_TEST(!send(
      build_icmp({kGateway, kGuest}, {ip("fe80::15"), ip("fe80::2"), 255}, 136, 0, 0, Bytes(16))));
  BOOST_TEST(replies.empty());
}

BOOST_AUTO_TEST_CASE(dhcp_for_ipv6_never_reaches_the_nat) {
  BOOST_TEST(send_udp("fe80::15", "ff02::1:2", 547, Bytes(20), multicast_mac(ip("ff02::1:2"))));
  BOOST_TEST(replies.empty());
}

BOOST_AUTO_TEST_CASE(a_wrong_checksum_is_dropped_unless_it_is_still_to_be_made) {
  auto frame = build_udp({kGateway, kGuest}, {ip("10.0.2.15"), ip("10.0.2.2")}, 5000, 53,
                         dns::test::query(7, "web"));
  frame[packet_of(frame).transport + 6] ^= std::byte{1};
  BOOST_TEST(send(frame));
  BOOST_TEST(replies.empty());
  BOOST_TEST(gateway.stats().malformed == 1U);
  FrameMeta meta;
  meta.needs_checksum = true;
  BOOST_TEST(send(frame, meta));
  BOOST_TEST(replies.size() == 1U);
}

BOOST_AUTO_TEST_CASE(garbage_and_frames_to_others_end_here) {
  BOOST_TEST(send(Bytes(13)));
  BOOST_TEST(send(Bytes(60)));
  BOOST_TEST(gateway.stats().malformed == 2U);
  BOOST_TEST(send(build_udp({kOther, kGuest}, {ip("10.0.2.15"), ip("10.0.2.2")}, 5000, 53, {})));
  BOOST_TEST(gateway.stats().foreign == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_for_the_outside_goes_on) {
  BOOST_TEST(!send_udp("10.0.2.15", "192.0.2.1", 123, Bytes(8)));
  BOOST_TEST(!send_udp("10.0.2.15", "10.0.2.2", 123, Bytes(8)));
}

BOOST_AUTO_TEST_CASE(a_guest_that_asks_without_end_is_answered_a_thousand_times_a_second) {
  for (int i = 0; i < 1000; ++i)
    BOOST_TEST(send(kArpRequest));
  BOOST_TEST(replies.size() == 256U);
  BOOST_TEST(gateway.stats().limited == 744U);
  now += 10ms;
  for (int i = 0; i < 1000; ++i)
    send(kArpRequest);
  BOOST_TEST(replies.size() == 266U);
  for (int i = 0; i < 10; ++i)
    send(kRouterSolicitation);
  BOOST_TEST(replies.size() == 270U);
}

BOOST_AUTO_TEST_CASE(the_router_is_advertised_at_once_and_every_five_minutes) {
  BOOST_TEST((gateway.next_deadline() == now));
  gateway.on_deadline(now, output);
  BOOST_REQUIRE(replies.size() == 1U);
  BOOST_TEST(packet_of(replies[0]).destination_mac == MacAddress({0x33, 0x33, 0, 0, 0, 1}));
  BOOST_TEST((gateway.next_deadline() == now + 300s));
  gateway.on_deadline(now + 299s, output);
  BOOST_TEST(replies.size() == 1U);
  gateway.on_deadline(now + 300s, output);
  BOOST_TEST(replies.size() == 2U);
}

BOOST_AUTO_TEST_CASE(without_ipv6_nothing_of_it_is_answered) {
  Gateway v4({kGateway, ip("10.0.2.2"), {}, {}}, nullptr, nullptr);
  BOOST_TEST(!v4.next_deadline().has_value());
  BOOST_TEST(v4.on_frame(kSolicitation, {}, now, output));
  BOOST_TEST(v4.on_frame(kRouterSolicitation, {}, now, output));
  v4.on_deadline(now, output);
  BOOST_TEST(v4.on_frame(build_udp({kGateway, kGuest}, {ip("10.0.2.15"), ip("10.0.2.2")}, 5000, 53,
                                   dns::test::query(7, "web")),
                         {}, now, output));
  BOOST_TEST(replies.empty());
}

BOOST_AUTO_TEST_CASE(a_mac_is_an_owner_and_back) {
  BOOST_TEST(Gateway::owner_of(kGuest) == 0x525400000001U);
  BOOST_TEST(Gateway::mac_of(Gateway::owner_of(kGuest)) == kGuest);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::neighbor
