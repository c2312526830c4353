#include <tests/unit/net/neighbor/frames.hpp>

namespace capsa::net::neighbor {

using namespace test;

BOOST_AUTO_TEST_SUITE(net_neighbor_ndp)

BOOST_AUTO_TEST_CASE(a_solicitation_is_read_and_answered_byte_by_byte) {
  BOOST_TEST((Solicitation().frame() == kSolicitation));
  const Packet packet = packet_of(kSolicitation);
  BOOST_TEST(*solicited_target(kSolicitation, packet) == ip("fe80::2"));
  BOOST_TEST((neighbor_advertisement(packet, kGateway, ip("fe80::2")) == kAdvertisement));
}

BOOST_AUTO_TEST_CASE(a_solicitation_to_the_address_itself_is_one_too) {
  BOOST_TEST(Solicitation{.to = ip("fe80::2")}.heard().has_value());
}

BOOST_AUTO_TEST_CASE(who_has_no_address_yet_is_told_with_all_others_that_this_one_is_taken) {
  const auto frame = Solicitation{.from = ip("::"), .options = {}}.frame();
  const Packet packet = packet_of(frame);
  BOOST_REQUIRE(solicited_target(frame, packet));
  const auto answer = neighbor_advertisement(packet, kGateway, ip("fe80::2"));
  const Packet told = packet_of(answer);
  BOOST_TEST(told.to == ip("ff02::1"));
  BOOST_TEST(told.destination_mac == MacAddress({0x33, 0x33, 0, 0, 0, 1}));
  BOOST_TEST(transport_checksum_ok(answer, told));
  BOOST_TEST((answer[told.transport + 4] == std::byte{0xa0}));  // a router, overriding, unsolicited
}

BOOST_AUTO_TEST_CASE(a_solicitation_from_beyond_the_link_is_refused) {
  for (const int hop_limit : {0, 1, 64, 254})
    BOOST_TEST(!Solicitation{.hop_limit = static_cast<std::uint8_t>(hop_limit)}.heard());
}

BOOST_AUTO_TEST_CASE(a_solicitation_that_breaks_a_rule_is_refused) {
  BOOST_TEST(!Solicitation{.code = 1}.heard());
  BOOST_TEST(!Solicitation{.target = ip("ff02::1")}.heard());
  BOOST_TEST(!Solicitation{.to = ip("ff02::1:ff00:3")}.heard());
  BOOST_TEST(!Solicitation{.to = ip("ff02::1")}.heard());
  BOOST_TEST(!Solicitation{.from = ip("::")}.heard());  // with a link-layer address
  BOOST_TEST(!(Solicitation{.from = ip("::"), .to = ip("fe80::2"), .options = {}}).heard());
  BOOST_TEST(!Solicitation{.from = ip("ff02::9")}.heard());
}

BOOST_AUTO_TEST_CASE(options_that_are_empty_or_cut_short_are_refused) {
  for (const auto* options : {"0100525400000001", "0102525400000001", "01", "01015254",
                              "010152540000000105010000", "0101525400000001ff00000000000000"})
    BOOST_TEST(!Solicitation{.options = hex(options)}.heard().has_value(), options);
  for (const auto* options : {"", "ff01000000000000", "01015254000000010501000000000000"})
    BOOST_TEST(Solicitation{.options = hex(options)}.heard().has_value(), options);
}

BOOST_AUTO_TEST_CASE(a_lie_about_the_link_layer_address_changes_nothing) {
  const auto frame = Solicitation{.options = hex("0101525400000002")}.frame();
  const Packet packet = packet_of(frame);
  BOOST_REQUIRE(solicited_target(frame, packet));
  BOOST_TEST((neighbor_advertisement(packet, kGateway, ip("fe80::2")) == kAdvertisement));
}

BOOST_AUTO_TEST_CASE(a_wrong_checksum_is_refused_wherever_it_is_wrong) {
  // From the ICMPv6 header on; the code and options are refused by themselves.
  for (std::size_t at = 56; at < kSolicitation.size(); ++at) {
    Bytes frame = kSolicitation;
    frame[at] ^= std::byte{0x10};
    BOOST_TEST(!solicited_target(frame, packet_of(frame)).has_value(), "byte " << at);
  }
}

BOOST_AUTO_TEST_CASE(a_solicitation_without_a_whole_target_is_refused) {
  const auto frame =
      build_icmp({kGateway, kGuest}, {ip("fe80::15"), ip("fe80::2"), 255}, 135, 0, 0, Bytes(15));
  BOOST_TEST(!solicited_target(frame, packet_of(frame)).has_value());
}

BOOST_AUTO_TEST_CASE(a_router_solicitation_is_answered_byte_by_byte) {
  BOOST_TEST(is_router_solicitation(kRouterSolicitation, packet_of(kRouterSolicitation)));
  BOOST_TEST(!is_router_solicitation(kSolicitation, packet_of(kSolicitation)));
  BOOST_TEST((router_advertisement(router(), kGateway, kGuest) == kRouterAdvertisement));
}

BOOST_AUTO_TEST_CASE(a_network_without_a_way_out_says_so_and_needs_no_resolver) {
  auto fields = router();
  fields.default_router = false;
  fields.resolvers = {ip("10.0.2.2")};
  const auto frame = router_advertisement(fields, kGateway, kGuest);
  const Packet packet = packet_of(frame);
  BOOST_TEST(transport_checksum_ok(frame, packet));
  BOOST_TEST((frame[packet.transport + 6] == std::byte{0}));
  BOOST_TEST((frame[packet.transport + 7] == std::byte{0}));
  BOOST_TEST(packet.end - packet.transport == 16U + 8 + 8 + 32);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::neighbor
