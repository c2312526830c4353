#include <net/nat/sanitizer.hpp>

#include <boost/test/unit_test.hpp>
#include <net/packet/build.hpp>
#include <net/packet/wire.hpp>

using namespace capsa;            // NOLINT
using namespace capsa::net;       // NOLINT
using namespace capsa::net::nat;  // NOLINT

namespace {

const MacAddress kGuestMac({0x52, 0x54, 0, 0, 0, 1});
const EthernetFields kEthernet{MacAddress({0x52, 0x55, 10, 0, 2, 2}), kGuestMac};
const IpAddress kGuest = IpAddress::v4(10, 0, 2, 15);
const IpAddress kOutside = IpAddress::v4(192, 0, 2, 1);

NatConfig config6() {
  NatConfig config;
  config.prefix6 = IpNetwork::parse("fd00:1::/64").value();
  config.gateway6 = IpAddress::parse("fd00:1::2").value();
  return config;
}

FrameBytes udp(const IpAddress& from, const IpAddress& to, std::uint16_t port = 5000) {
  return build_udp(kEthernet, {from, to}, 4000, port, {});
}

FrameBytes udp_to(const std::string& to, std::uint16_t port = 5000) {
  const IpAddress address = IpAddress::parse(to).value();
  return udp(address.is_v4() ? kGuest : IpAddress::parse("fd00:1::15").value(), address, port);
}

Verdict judge(const Sanitizer& sanitizer, const FrameBytes& frame) {
  Packet packet;
  const Verdict verdict = sanitizer.check_frame(frame, packet);
  return verdict == Verdict::Pass ? sanitizer.check_destination(packet) : verdict;
}

struct Fixture {
  NatConfig config = config6();
  Sanitizer sanitizer{config};
  void check(const FrameBytes& frame, Verdict verdict) {
    BOOST_TEST(to_string(judge(sanitizer, frame)) == to_string(verdict));
  }
};

/// Puts four bytes of no-operations behind the IPv4 header.
FrameBytes with_options(FrameBytes frame) {
  frame.insert(frame.begin() + 34, 4, std::byte{1});
  frame[14] = std::byte{0x46};
  wire::store16(frame, 16, static_cast<std::uint16_t>(frame.size() - 14));
  wire::store16(frame, 24, 0);
  wire::store16(frame, 24, internet_checksum(std::span(frame).subspan(14, 24)));
  return frame;
}

FrameBytes with_word(FrameBytes frame, std::size_t at, std::uint16_t value) {
  wire::store16(frame, at, value);
  if (frame[12] == std::byte{8}) {
    wire::store16(frame, 24, 0);
    wire::store16(frame, 24, internet_checksum(std::span(frame).subspan(14, 20)));
  }
  return frame;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(nat_sanitizer, Fixture)

BOOST_AUTO_TEST_CASE(ordinary_frames_pass) {
  check(udp(kGuest, kOutside), Verdict::Pass);
  check(udp_to("2001:db8::1"), Verdict::Pass);
  check(build_tcp(kEthernet, {kGuest, kOutside}, {.from_port = 1, .to_port = 80, .flags = 2}),
        Verdict::Pass);
  check(build_icmp(kEthernet, {kGuest, kOutside}, icmp_type::kEchoRequest, 0, 1, {}),
        Verdict::Pass);
  // Private networks of the host's are for the policy to judge, which names them by address.
  check(udp_to("192.168.1.1"), Verdict::Pass);
}

BOOST_AUTO_TEST_CASE(every_spelling_of_the_hosts_loopback_is_out_of_reach) {
  for (const char* to : {"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.2.2", "::1",
                         "::", "fd00:1::2", "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1",
                         "64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:0.0.0.0"}) {
    BOOST_TEST_CONTEXT(to) check(udp_to(to), Verdict::HostLoopback);
  }
}

BOOST_AUTO_TEST_CASE(other_places_that_nobody_may_reach_are_told_apart) {
  check(udp_to("169.254.169.254"), Verdict::LinkLocal);
  check(udp_to("64:ff9b::a9fe:a9fe"), Verdict::LinkLocal);
  check(udp_to("fe80::1"), Verdict::LinkLocal);
  check(udp_to("224.0.0.251"), Verdict::Multicast);
  check(udp_to("255.255.255.255"), Verdict::Multicast);
  check(udp_to("ff02::1:2", 547), Verdict::Multicast);
  check(udp_to("240.0.0.1"), Verdict::Reserved);
  check(udp_to("::ffff:192.0.2.1"), Verdict::Reserved);
  check(udp_to("10.0.2.3"), Verdict::VirtualSubnet);
  check(udp_to("64:ff9b::a00:202"), Verdict::VirtualSubnet);
  check(udp_to("fd00:1::3"), Verdict::VirtualSubnet);
}

BOOST_AUTO_TEST_CASE(the_hosts_own_addresses_are_those_told_last) {
  sanitizer.set_host_addresses({kOutside});
  check(udp(kGuest, kOutside), Verdict::HostAddress);
  check(udp_to("64:ff9b::c000:201"), Verdict::HostAddress);
  sanitizer.set_host_addresses({});
  check(udp(kGuest, kOutside), Verdict::Pass);
}

BOOST_AUTO_TEST_CASE(an_address_rule_opens_what_a_socket_can_reach) {
  sanitizer.set_host_addresses({kOutside});
  sanitizer.set_allow_hook([](const Packet&) { return true; });
  check(udp_to("127.0.0.1"), Verdict::Pass);
  check(udp_to("169.254.169.254"), Verdict::Pass);
  check(udp(kGuest, kOutside), Verdict::Pass);
  check(udp_to("224.0.0.251"), Verdict::Multicast);
  check(udp_to("10.0.2.3"), Verdict::VirtualSubnet);
  check(udp_to("10.0.2.2"), Verdict::HostLoopback);
}

BOOST_AUTO_TEST_CASE(what_libslirp_would_serve_by_itself_stays_closed) {
  config.host_loopback = true;
  check(udp_to("10.0.2.2"), Verdict::Pass);
  for (const std::uint16_t port : {67, 68, 69, 546, 547}) {
    check(udp_to("10.0.2.2", port), Verdict::HostService);
    check(udp_to("fd00:1::2", port), Verdict::HostService);
  }
  check(udp(kGuest, kOutside, 69), Verdict::Pass);
}

BOOST_AUTO_TEST_CASE(sources_outside_the_virtual_network_are_dropped) {
  check(udp(IpAddress::v4(10, 0, 3, 1), kOutside), Verdict::ForeignSource);
  check(udp(config.gateway, kOutside), Verdict::ForeignSource);
  check(udp(IpAddress::v4(10, 0, 2, 0), kOutside), Verdict::ForeignSource);
  check(udp(IpAddress::v4(10, 0, 2, 255), kOutside), Verdict::ForeignSource);
  check(udp(IpAddress(), IpAddress::v4(255, 255, 255, 255), 67), Verdict::ForeignSource);
  check(udp(IpAddress::parse("fe80::1").value(), IpAddress::parse("2001:db8::1").value()),
        Verdict::ForeignSource);
  check(build_udp({kGuestMac, MacAddress::broadcast()}, {kGuest, kOutside}, 1, 2, {}),
        Verdict::ForeignSource);
}

BOOST_AUTO_TEST_CASE(ipv6_needs_a_prefix) {
  config.prefix6.reset();
  config.gateway6.reset();
  check(udp_to("2001:db8::1"), Verdict::ForeignSource);
}

BOOST_AUTO_TEST_CASE(options_fragments_and_extension_headers_are_dropped) {
  const FrameBytes frame = udp(kGuest, kOutside);
  check(with_options(frame), Verdict::IpOptions);
  check(with_word(frame, 20, 0x2000), Verdict::Fragment);
  check(with_word(frame, 20, 0x0001), Verdict::Fragment);
  const std::vector<std::byte> options(8, std::byte{0});
  FrameBytes hop = build_ip(
      kEthernet, {IpAddress::parse("fd00:1::15").value(), IpAddress::parse("2001:db8::1").value()},
      0, options);
  hop[54] = std::byte{59};  // no next header
  hop[56] = std::byte{1};   // PadN
  hop[57] = std::byte{4};
  check(hop, Verdict::IpOptions);
}

BOOST_AUTO_TEST_CASE(other_protocols_and_lengths_that_lie_are_dropped) {
  const std::vector<std::byte> body(8);
  check(build_ip(kEthernet, {kGuest, kOutside}, 132, body), Verdict::UnknownProtocol);
  check(build_icmp(kEthernet, {kGuest, kOutside}, icmp_type::kUnreachable, 0, 0, body),
        Verdict::UnknownProtocol);
  check(build_arp(kEthernet, {1, kGuestMac, kGuest, {}, config.gateway}), Verdict::NotIp);
  check(build_ethernet(kEthernet, 0x88f8, body), Verdict::Malformed);
  const FrameBytes frame = udp(kGuest, kOutside);
  check(with_word(frame, 16, 100), Verdict::Malformed);
  check(with_word(frame, 38, 100), Verdict::Malformed);
  check(FrameBytes(frame.begin(), frame.begin() + 20), Verdict::Malformed);
  check(udp(kGuest, kOutside, 0), Verdict::BadPort);
}

BOOST_AUTO_TEST_CASE(the_urgent_pointer_goes_and_the_checksum_stays_right) {
  for (const std::uint16_t urgent : {0, 1, 0xffff}) {
    auto frame = build_tcp(kEthernet, {kGuest, kOutside},
                           {.from_port = 1, .to_port = 80, .flags = tcp_flag::kAck}, {});
    Packet packet;
    BOOST_REQUIRE(sanitizer.check_frame(frame, packet) == Verdict::Pass);
    frame[packet.transport + 13] |= std::byte{tcp_flag::kUrg};
    wire::store16(frame, packet.transport + 18, urgent);
    wire::store16(frame, packet.transport + 16, 0);
    const auto tcp = std::span<const std::byte>(frame).subspan(packet.transport);
    wire::store16(
        frame, packet.transport + 16,
        checksum_finish(checksum_add(pseudo_header_sum(kGuest, kOutside, 6, tcp.size()), tcp)));
    BOOST_REQUIRE(sanitizer.check_frame(frame, packet) == Verdict::Pass);
    Sanitizer::clean(frame, packet);
    BOOST_TEST(packet.tcp_flags == tcp_flag::kAck);
    BOOST_TEST(wire::load16(frame, packet.transport + 18) == 0);
    BOOST_REQUIRE(sanitizer.check_frame(frame, packet) == Verdict::Pass);
    BOOST_TEST(packet.tcp_flags == tcp_flag::kAck);
    BOOST_TEST(transport_checksum_ok(frame, packet));
  }
}

BOOST_AUTO_TEST_CASE(only_those_who_can_be_answered_are) {
  for (std::size_t at = 0; at < kVerdicts; ++at)
    BOOST_TEST(!to_string(static_cast<Verdict>(at)).empty());
  BOOST_TEST(is_answered(Verdict::HostLoopback));
  BOOST_TEST(is_answered(Verdict::TcpLimit));
  BOOST_TEST(!is_answered(Verdict::Pass));
  BOOST_TEST(!is_answered(Verdict::ForeignSource));
  BOOST_TEST(!is_answered(Verdict::Multicast));
}

BOOST_AUTO_TEST_SUITE_END()
