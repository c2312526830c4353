#include <boost/test/unit_test.hpp>
#include <net/host_nat/gate.hpp>
#include <tests/unit/net/packet/frame_kit.hpp>

using namespace capsa;
using namespace capsa::net;
using namespace capsa::net::test;

namespace {

const MacAddress kHostMac({0x02, 0, 0, 0, 4, 1});
const IpAddress kHost = ip("10.0.4.1");
const IpAddress kGuest = ip("10.0.4.15");
const host_nat::Gate kGate(kHostMac, kHost);
const EthernetFields kToHost{kHostMac, kGuestMac};
const EthernetFields kToAll{MacAddress::broadcast(), kGuestMac};
const EthernetFields kFromHost{kGuestMac, kHostMac};

FrameBytes arp_for(const IpAddress& target) {
  return build_arp(kToAll, {1, kGuestMac, kGuest, MacAddress(), target});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gate)

BOOST_AUTO_TEST_CASE(what_is_to_be_routed_gets_out) {
  BOOST_TEST(
      kGate.lets_out(build_udp(kToHost, {kGuest, ip("198.51.100.1")}, 5000, 5000, bytes("x"))));
  BOOST_TEST(kGate.lets_out(arp_for(kHost)));
}

BOOST_AUTO_TEST_CASE(the_kernel_is_asked_for_none_of_the_host_s_other_addresses) {
  BOOST_TEST(!kGate.lets_out(arp_for(ip("192.168.1.7"))));
  BOOST_TEST(!kGate.lets_out(arp_for(ip("10.0.4.2"))));
}

BOOST_AUTO_TEST_CASE(the_host_s_servers_hear_no_broadcast) {
  const IpFields discover{ip("0.0.0.0"), ip("255.255.255.255")};
  BOOST_TEST(!kGate.lets_out(build_udp(kToAll, discover, 68, 67, bytes("discover"))));
  BOOST_TEST(!kGate.lets_out(build_udp(kOut, {kGuest, ip("10.0.4.2")}, 5000, 53, bytes("x"))));
}

BOOST_AUTO_TEST_CASE(other_protocols_do_not_pass_either_way) {
  const IpFields v6{ip("fe80::15"), ip("fe80::1")};
  BOOST_TEST(!kGate.lets_out(build_udp(kToHost, v6, 5000, 5000, bytes("x"))));
  BOOST_TEST(!kGate.lets_in(build_udp(kFromHost, v6, 5000, 5000, bytes("x"))));
  BOOST_TEST(!kGate.lets_out(build_ethernet(kToHost, 0x88f8, bytes("anything at all, and more"))));
  BOOST_TEST(!kGate.lets_out(bytes("short")));
  BOOST_TEST(!kGate.lets_in(bytes("short")));
  // It says that it is ARP, and is not.
  BOOST_TEST(!kGate.lets_out(build_ethernet(kToAll, 0x0806, bytes("not ARP"))));
}

BOOST_AUTO_TEST_CASE(the_kernel_speaks_to_stations_and_by_arp) {
  BOOST_TEST(
      kGate.lets_in(build_udp(kFromHost, {ip("198.51.100.1"), kGuest}, 53, 5000, bytes("x"))));
  const EthernetFields all{MacAddress::broadcast(), kHostMac};
  BOOST_TEST(kGate.lets_in(build_arp(all, {1, kHostMac, kHost, MacAddress(), kGuest})));
  BOOST_TEST(!kGate.lets_in(build_udp(all, {kHost, ip("255.255.255.255")}, 138, 138, bytes("x"))));
}

BOOST_AUTO_TEST_SUITE_END()
