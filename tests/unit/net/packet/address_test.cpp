#include <boost/test/unit_test.hpp>
#include <capsa/ip_address.hpp>
#include <tests/unit/net/packet/frame_kit.hpp>
#include <unordered_set>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_address)

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

BOOST_AUTO_TEST_CASE(addresses_are_read_and_written_as_rfc_5952_says) {
  const std::pair<const char*, const char*> cases[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"::ffff:127.0.0.1", "::ffff:127.0.0.1"},
      {"::ffff:7f00:1", "::ffff:127.0.0.1"},
      {"64:ff9b::127.0.0.1", "64:ff9b::7f00:1"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
  };
  for (const auto& [given, written] : cases) {
    const auto address = IpAddress::parse(given);
    BOOST_TEST_REQUIRE(address.ok(), given);
    BOOST_TEST(address->to_string() == written);
    BOOST_TEST((ip(written) == *address));
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused) {
  for (const char* text : {"",
                           ".",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "01.2.3.4",
                           "1.2.3.04",
                           "1.2.3.-4",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "0x7f.0.0.1",
                           "127.1",
                           "2130706433",
                           "1.2.3.1000",
                           ":",
                           ":::",
                           "1:",
                           ":1",
                           "1::2::3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           "12345::",
                           "g::",
                           "fe80::1%eth0",
                           "::1.2.3",
                           "::1.2.3.4.5",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "[::1]",
                           "::1/128"}) {
    const auto address = IpAddress::parse(text);
    BOOST_TEST(!address.ok(), text);
    if (!address) BOOST_TEST((address.error().code() == ErrorCode::InvalidConfig));
  }
}

BOOST_AUTO_TEST_CASE(classes_of_addresses_have_their_edges) {
  struct Case {
    const char* in_first;
    const char* in_last;
    const char* before;
    const char* behind;
  };
  const auto check = [](const Case& at, bool (IpAddress::*is)() const noexcept) {
    BOOST_TEST((ip(at.in_first).*is)(), at.in_first);
    BOOST_TEST((ip(at.in_last).*is)(), at.in_last);
    BOOST_TEST(!(ip(at.before).*is)(), at.before);
    BOOST_TEST(!(ip(at.behind).*is)(), at.behind);
  };
  check({"127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"}, &IpAddress::is_loopback);
  check({"::1", "::1", "::", "::2"}, &IpAddress::is_loopback);
  check({"169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
        &IpAddress::is_link_local);
  check({"fe80::", "febf:ffff::", "fe7f:ffff::", "fec0::"}, &IpAddress::is_link_local);
  check({"224.0.0.0", "239.255.255.255", "223.255.255.255", "240.0.0.0"}, &IpAddress::is_multicast);
  check({"ff00::", "ffff::", "feff:ffff::", "::"}, &IpAddress::is_multicast);
  check({"10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"}, &IpAddress::is_private);
  check({"172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"}, &IpAddress::is_private);
  check({"192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
        &IpAddress::is_private);
  check({"100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"}, &IpAddress::is_private);
  check({"198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"}, &IpAddress::is_private);
  check({"192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"}, &IpAddress::is_private);
  check({"fc00::", "fdff:ffff::", "fbff:ffff::", "fe00::"}, &IpAddress::is_private);
  check({"64:ff9b:1::", "64:ff9b:1:ffff::", "64:ff9b:0:ffff::", "64:ff9b:2::"},
        &IpAddress::is_private);
}

BOOST_AUTO_TEST_CASE(v6_addresses_that_stand_for_v4_ones_say_so) {
  for (const char* text : {"::ffff:127.0.0.1", "64:ff9b::7f00:1", "::127.0.0.1",
                           "::ffff:0:127.0.0.1", "2002:7f00:1::5"}) {
    const auto embedded = ip(text).embedded_v4();
    BOOST_TEST_REQUIRE(embedded.has_value(), text);
    BOOST_TEST(*embedded == ip("127.0.0.1"));
  }
  for (const char* text :
       {"127.0.0.1", "::", "::1", "2001:db8::1", "64:ff9b:1::7f00:1", "1::ffff:127.0.0.1"})
    BOOST_TEST(!ip(text).embedded_v4().has_value(), text);
}

BOOST_AUTO_TEST_CASE(networks_contain_what_shares_their_prefix) {
  const auto net = [](const char* text) { return IpNetwork::parse(text).value(); };
  BOOST_TEST(net("0.0.0.0/0").contains(ip("255.255.255.255")));
  BOOST_TEST(!net("0.0.0.0/0").contains(ip("::1")));
  BOOST_TEST(net("10.0.2.0/23").contains(ip("10.0.3.255")));
  BOOST_TEST(!net("10.0.2.0/23").contains(ip("10.0.4.0")));
  BOOST_TEST(net("192.0.2.1/32").contains(ip("192.0.2.1")));
  BOOST_TEST(!net("192.0.2.1/32").contains(ip("192.0.2.2")));
  BOOST_TEST(net("::/0").contains(ip("ffff::")));
  BOOST_TEST(net("2001:db8::/33").contains(ip("2001:db8:7fff::")));
  BOOST_TEST(!net("2001:db8::/33").contains(ip("2001:db8:8000::")));
  BOOST_TEST(net("10.0.2.0/24").mask() == ip("255.255.255.0"));
  BOOST_TEST(net("10.0.2.0/24").last() == ip("10.0.2.255"));
  BOOST_TEST(net("0.0.0.0/0").mask() == ip("0.0.0.0"));
  BOOST_TEST(net("10.0.2.0/24").to_string() == "10.0.2.0/24");
  BOOST_TEST(IpNetwork::around(ip("10.1.2.3"), 8).to_string() == "10.0.0.0/8");
}

BOOST_AUTO_TEST_CASE(networks_with_host_bits_or_long_prefixes_are_refused_with_a_hint) {
  for (const char* text :
       {"10.0.0.1/8", "10.0.0.0/33", "::1/127", "::/129", "10.0.0.0", "10.0.0.0/", "10.0.0.0/-1",
        "10.0.0.0/08", "10.0.0.0/8/8", "/8", "10.0.0/8"}) {
    const auto network = IpNetwork::parse(text);
    BOOST_TEST(!network.ok(), text);
  }
  BOOST_TEST(IpNetwork::parse("10.0.0.1/8").error().hint().find("10.0.0.0/8") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(mac_addresses_are_read_and_written) {
  const auto mac = MacAddress::parse("52:54:00:Ab:cD:01");
  BOOST_TEST_REQUIRE(mac.has_value());
  BOOST_TEST(mac->to_string() == "52:54:00:ab:cd:01");
  BOOST_TEST(!mac->is_multicast());
  BOOST_TEST(MacAddress::broadcast().is_multicast());
  BOOST_TEST(MacAddress::parse("33:33:00:00:00:01")->is_multicast());
  for (const char* text : {"", "52:54:00:ab:cd", "52:54:00:ab:cd:0", "52-54-00-ab-cd-01",
                           "52:54:00:ab:cd:0g", "52:54:00:ab:cd:01:"}) {
    BOOST_TEST(!MacAddress::parse(text).has_value(), text);
  }
  BOOST_TEST((std::unordered_set<MacAddress>{*mac, *mac}.size() == 1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
