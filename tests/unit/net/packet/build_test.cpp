#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <tests/unit/net/packet/frame_kit.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_packet_build)

const IpFields kV4{ip("10.0.2.15"), ip("192.0.2.1")};
const IpFields kV6{ip("fd00::15"), ip("2001:db8::1")};

BOOST_AUTO_TEST_CASE(the_checksum_is_that_of_rfc_1071) {
  const std::byte example[] = {std::byte{0x00}, std::byte{0x01}, std::byte{0xf2}, std::byte{0x03},
                               std::byte{0xf4}, std::byte{0xf5}, std::byte{0xf6}, std::byte{0xf7}};
  BOOST_TEST(internet_checksum(example) == static_cast<std::uint16_t>(~0xddf2U));
  BOOST_TEST(internet_checksum(std::span(example).first(3)) ==
             static_cast<std::uint16_t>(~(0x0001U + 0xf200U)));
  BOOST_TEST(internet_checksum({}) == 0xffff);
}

BOOST_AUTO_TEST_CASE(a_udp_checksum_of_zero_is_sent_as_ones) {
  // All 65536 payloads of two bytes: one of them sums up to zero.
  bool seen = false;
  for (unsigned value = 0; value < 0x10000; ++value) {
    const std::byte payload[] = {static_cast<std::byte>(value >> 8), static_cast<std::byte>(value)};
    const auto frame = build_udp(kOut, kV4, 1, 2, payload);
    BOOST_TEST_REQUIRE(wire::load16(frame, 40) != 0);
    seen = seen || wire::load16(frame, 40) == 0xffff;
  }
  BOOST_TEST(seen);
}

BOOST_AUTO_TEST_CASE(a_syn_is_reset_so_that_its_sender_believes_it) {
  for (const auto& addresses : {kV4, kV6}) {
    const auto syn = build_tcp(kOut, addresses, {1000, 443, 0xffffffff, 0, tcp_flag::kSyn});
    const auto reset = tcp_reset_for(syn, parsed(syn));
    BOOST_TEST_REQUIRE(reset.has_value());
    const Packet packet = parsed(*reset);
    BOOST_TEST(transport_checksum_ok(*reset, packet));
    BOOST_TEST(packet.destination_mac == kGuestMac);
    BOOST_TEST(packet.from == addresses.to);
    BOOST_TEST((packet.from_port == 443 && packet.to_port == 1000));
    BOOST_TEST(int{packet.tcp_flags} == (tcp_flag::kRst | tcp_flag::kAck));
    BOOST_TEST(packet.tcp_acknowledgment == 0U);
    const auto data = build_tcp(kOut, addresses, {1000, 443, 5, 77, tcp_flag::kAck}, bytes("abc"));
    const Packet to_data = parsed(*tcp_reset_for(data, parsed(data)));
    BOOST_TEST(int{to_data.tcp_flags} == int{tcp_flag::kRst});
    BOOST_TEST(to_data.tcp_sequence == 77U);
    BOOST_TEST(!tcp_reset_for(*reset, packet).has_value());
  }
}

BOOST_AUTO_TEST_CASE(prohibited_quotes_the_packet_and_no_more_than_fits) {
  for (const auto& addresses : {kV4, kV6}) {
    const auto sent = build_udp(kOut, addresses, 1000, 99, bytes(std::string(3000, 'x')));
    const auto answer = admin_prohibited_for(sent, parsed(sent));
    BOOST_TEST_REQUIRE(answer.has_value());
    const Packet packet = parsed(*answer);
    BOOST_TEST(transport_checksum_ok(*answer, packet));
    BOOST_TEST(packet.to == addresses.from);
    const bool v4 = addresses.from.is_v4();
    BOOST_TEST(int{packet.icmp_type} == (v4 ? 3 : 1));
    BOOST_TEST(int{packet.icmp_code} == (v4 ? 13 : 1));
    BOOST_TEST(answer->size() == 14U + (v4 ? 576U : 1280U));
    const auto quoted = packet.payload_of(*answer);
    BOOST_TEST(std::equal(quoted.begin(), quoted.end(), sent.begin() + 14));
    // Never about an error.
    const auto error = build_icmp(kOut, addresses, v4 ? 3 : 1, 1, 0, bytes("xxxxxxxx"));
    BOOST_TEST(!admin_prohibited_for(error, parsed(error)).has_value());
    const auto routed = admin_prohibited_for(sent, parsed(sent), ip(v4 ? "10.0.2.2" : "fe80::2"));
    BOOST_TEST(parsed(*routed).from == ip(v4 ? "10.0.2.2" : "fe80::2"));
  }
  const auto group = build_udp({MacAddress({1, 0, 0x5e, 0, 0, 0xfb}), kGuestMac},
                               {ip("10.0.2.15"), ip("224.0.0.251")}, 5353, 5353, {});
  BOOST_TEST(!admin_prohibited_for(group, parsed(group)).has_value());
}

BOOST_AUTO_TEST_CASE(an_echo_is_answered_with_its_data) {
  for (const auto& addresses : {kV4, kV6}) {
    const bool v4 = addresses.from.is_v4();
    const auto ping = build_icmp(kOut, addresses, v4 ? 8 : 128, 0, 0x12345678, bytes("ping!"));
    const auto pong = echo_reply_for(ping, parsed(ping));
    BOOST_TEST_REQUIRE(pong.has_value());
    const Packet packet = parsed(*pong);
    BOOST_TEST(packet.is_echo_reply());
    BOOST_TEST(transport_checksum_ok(*pong, packet));
    BOOST_TEST(wire::load32(*pong, packet.transport + 4) == 0x12345678U);
    BOOST_TEST(packet.payload_of(*pong).size() == 5U);
    BOOST_TEST(!echo_reply_for(*pong, packet).has_value());
  }
}

BOOST_AUTO_TEST_CASE(an_abort_is_the_senders_own_reset) {
  const auto data = build_tcp(kOut, kV4, {1000, 443, 5, 77, tcp_flag::kAck}, bytes("abc"));
  const auto abort = tcp_abort_for(parsed(data), kOut);
  BOOST_TEST_REQUIRE(abort.has_value());
  const Packet packet = parsed(*abort);
  BOOST_TEST(transport_checksum_ok(*abort, packet));
  BOOST_TEST(packet.from == ip("10.0.2.15"));
  BOOST_TEST(packet.tcp_sequence == 5U);
  BOOST_TEST((packet.tcp_flags & tcp_flag::kRst) != 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
