#pragma once

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <initializer_list>
#include <net/neighbor/ndp.hpp>
#include <net/packet/build.hpp>
#include <net/packet/packet.hpp>
#include <string_view>
#include <variant>
#include <vector>

namespace capsa::net::neighbor::test {

using Bytes = std::vector<std::byte>;

inline IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

inline Bytes hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Bytes out;
  for (std::size_t at = 0; at + 1 < text.size(); at += 2)
    out.push_back(static_cast<std::byte>(digit(text[at]) * 16 + digit(text[at + 1])));
  return out;
}

inline Packet packet_of(std::span<const std::byte> frame) {
  const auto parsed = parse(frame);
  BOOST_REQUIRE(std::holds_alternative<Packet>(parsed));
  return std::get<Packet>(parsed);
}

inline const MacAddress kGateway({0x52, 0x55, 0x0a, 0x00, 0x02, 0x02});
inline const MacAddress kGuest({0x52, 0x54, 0, 0, 0, 1});
inline const MacAddress kOther({0x52, 0x54, 0, 0, 0, 2});

inline RouterFields router() {
  RouterFields fields;
  fields.link_local = ip("fe80::2");
  fields.prefix = IpNetwork::parse("fd00:2::/64").value();
  fields.resolvers = {ip("fd00:2::2")};
  return fields;
}

// Made by hand, checksums too: what the messages are on the wire.
inline const Bytes kSolicitation =
    hex("3333ff00000252540000000186dd6000000000203afffe800000000000000000000000000015ff02"
        "00000000000000000001ff00000287002a2f00000000fe8000000000000000000000000000020101"
        "525400000001");
inline const Bytes kAdvertisement =
    hex("52540000000152550a00020286dd6000000000203afffe800000000000000000000000000002fe80"
        "000000000000000000000000001588003bb0e0000000fe8000000000000000000000000000020201"
        "52550a000202");
inline const Bytes kRouterSolicitation =
    hex("33330000000252540000000186dd6000000000103afffe800000000000000000000000000015ff02"
        "0000000000000000000000000002850029c4000000000101525400000001");
inline const Bytes kRouterAdvertisement =
    hex("52540000000152550a00020286dd6000000000583afffe800000000000000000000000000002ff02"
        "00000000000000000000000000018600e30f400007080000000000000000010152550a0002020501"
        "0000000005dc030440c0000151800000384000000000fd0000020000000000000000000000001903"
        "000000000708fd000002000000000000000000000002");

/// What a solicitation may differ in; its checksum is right.
struct Solicitation {
  IpAddress from = ip("fe80::15");
  IpAddress to = ip("ff02::1:ff00:2");
  IpAddress target = ip("fe80::2");
  Bytes options = hex("0101525400000001");
  std::uint8_t hop_limit = 255;
  std::uint8_t code = 0;

  FrameBytes frame() const {
    Bytes body;
    for (const std::uint8_t byte : target.bytes())
      body.push_back(std::byte{byte});
    body.insert(body.end(), options.begin(), options.end());
    const MacAddress mac = to.is_multicast() ? multicast_mac(to) : kGateway;
    return build_icmp({mac, kGuest}, {from, to, hop_limit}, 135, code, 0, body);
  }
  std::optional<IpAddress> heard() const {
    const auto bytes = frame();
    return solicited_target(bytes, packet_of(bytes));
  }
};

}  // namespace capsa::net::neighbor::test
