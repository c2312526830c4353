#include <net/neighbor/arp.hpp>
#include <tests/unit/net/neighbor/frames.hpp>

namespace capsa::net::neighbor {
namespace {

using namespace test;

struct Request {
  MacAddress from = kGuest;
  std::uint16_t operation = 1;
  MacAddress sender_mac = kGuest;
  IpAddress sender = ip("10.0.2.15");
  IpAddress target = ip("10.0.2.2");

  std::optional<FrameBytes> answer() const {
    const auto frame = build_arp({MacAddress::broadcast(), from},
                                 {operation, sender_mac, sender, MacAddress(), target});
    return answer_arp(packet_of(frame), kGateway, ip("10.0.2.2"));
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(net_neighbor_arp)

BOOST_AUTO_TEST_CASE(a_request_for_the_gateway_is_answered_byte_by_byte) {
  const Bytes request =
      hex("ffffffffffff525400000001080600010800060400015254000000010a00020f0000000000000a000202");
  const auto reply = answer_arp(packet_of(request), kGateway, ip("10.0.2.2"));
  BOOST_REQUIRE(reply);
  BOOST_TEST((*reply == hex("52540000000152550a0002020806000108000604000252550a0002020a000202"
                            "5254000000010a00020f")));
}

BOOST_AUTO_TEST_CASE(a_probe_for_the_gateways_address_is_answered) {
  BOOST_TEST(Request{.sender = ip("0.0.0.0")}.answer().has_value());
}

BOOST_AUTO_TEST_CASE(nothing_else_is_answered) {
  BOOST_TEST(Request().answer().has_value());
  BOOST_TEST(!Request{.target = ip("10.0.2.3")}.answer().has_value());
  BOOST_TEST(!Request{.operation = 2}.answer().has_value());
  BOOST_TEST(!Request{.sender_mac = kOther}.answer().has_value());
  BOOST_TEST(!(Request{.from = kGateway, .sender_mac = kGateway}).answer().has_value());
  // "10.0.2.2 is mine", says somebody else.
  BOOST_TEST(!Request{.sender = ip("10.0.2.2")}.answer().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::neighbor
