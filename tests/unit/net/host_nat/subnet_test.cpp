#include <boost/test/unit_test.hpp>
#include <net/host_nat/subnet.hpp>
#include <tests/unit/net/packet/frame_kit.hpp>

using namespace capsa;
using namespace capsa::net::host_nat;

namespace {

IpNetwork network(std::string_view text) {
  return IpNetwork::parse(text).value();
}

// Of a host with a default route, a LAN, Docker, and a VPN that takes the default in two parts.
constexpr std::string_view kTable =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n"
    "tun0\t00000080\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n"
    "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    "eth1\tnonsense\n"
    "eth1\t1234\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(subnet)

BOOST_AUTO_TEST_CASE(routes_are_read_and_default_routes_are_none) {
  const auto routes = routed_networks(kTable);
  const std::vector<IpNetwork> expected{network("192.168.1.0/24"), network("172.17.0.0/16")};
  BOOST_TEST((routes == expected));
  BOOST_TEST(routed_networks("").empty());
}

BOOST_AUTO_TEST_CASE(the_first_that_is_free_is_chosen) {
  BOOST_TEST(choose_subnet({}, {}).value() == network("10.0.4.0/24"));
  BOOST_TEST(choose_subnet({}, {network("10.0.4.0/24"), network("10.0.5.128/25")}).value() ==
             network("10.0.6.0/24"));
  // One address is enough.
  BOOST_TEST(choose_subnet({}, {network("10.0.4.77/32")}).value() == network("10.0.5.0/24"));
}

BOOST_AUTO_TEST_CASE(a_host_that_has_all_of_them_is_told_so) {
  const auto none = choose_subnet({}, {network("10.0.0.0/8")});
  BOOST_TEST_REQUIRE(!none.ok());
  BOOST_TEST((none.error().code() == ErrorCode::ResourceExhausted));
  BOOST_TEST(choose_subnet(network("192.168.77.0/24"), {network("10.0.0.0/8")}).ok());
}

BOOST_AUTO_TEST_CASE(one_that_was_asked_for_is_had_or_refused) {
  for (const auto* taken : {"10.0.9.0/24", "10.0.0.0/16", "10.0.9.64/26", "10.0.9.1/32"}) {
    const auto refused = choose_subnet(network("10.0.9.0/24"), {network(taken)});
    BOOST_TEST_REQUIRE(!refused.ok(), taken);
    BOOST_TEST((refused.error().code() == ErrorCode::InvalidConfig));
    BOOST_TEST(refused.error().message().find(taken) != std::string::npos);
  }
  BOOST_TEST(choose_subnet(network("10.0.9.0/24"), {network("10.0.8.0/24")}).value() ==
             network("10.0.9.0/24"));
}

BOOST_AUTO_TEST_SUITE_END()
