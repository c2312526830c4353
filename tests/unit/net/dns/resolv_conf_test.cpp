#include <boost/test/unit_test.hpp>
#include <net/dns/resolv_conf.hpp>

namespace capsa::net::dns {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_dns_resolv_conf)

BOOST_AUTO_TEST_CASE(servers_are_found_in_their_order) {
  const auto found = resolvers_from_resolv_conf(
      "# nameserver 9.9.9.9\n; nameserver 9.9.9.9\nsearch example.org\noptions edns0\n"
      "nameserver 192.0.2.1\nnameserver\t2001:db8::1  trailing\r\nnameserver 192.0.2.1\n"
      "nameserver fe80::1%eth0");
  const std::vector<Resolver> expected{
      {ip("192.0.2.1"), ""}, {ip("2001:db8::1"), ""}, {ip("fe80::1"), "eth0"}};
  BOOST_TEST((found == expected));
}

BOOST_AUTO_TEST_CASE(malformed_lines_are_passed_over) {
  BOOST_TEST(resolvers_from_resolv_conf("").empty());
  BOOST_TEST(resolvers_from_resolv_conf("\n\n\n").empty());
  BOOST_TEST(resolvers_from_resolv_conf("nameserver\n nameserver 1.2.3.4\nnameservers 1.2.3.4\n"
                                        "nameserver example.org\nnameserver 1.2.3\n"
                                        "nameserver 1.2.3.4%eth0\nnameserver fe80::1%\n"
                                        "nameserver fe80::1%sixteencharacters")
                 .empty());
}

BOOST_AUTO_TEST_CASE(only_three_are_used) {
  const auto found = resolvers_from_resolv_conf(
      "nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n");
  BOOST_REQUIRE(found.size() == 3U);
  BOOST_TEST(found[2].address == ip("1.1.1.3"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dns
