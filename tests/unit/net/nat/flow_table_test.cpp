#include <net/nat/flow_table.hpp>

#include <boost/test/unit_test.hpp>

using namespace capsa;            // NOLINT
using namespace capsa::net;       // NOLINT
using namespace capsa::net::nat;  // NOLINT
using namespace std::chrono_literals;

namespace {

const IpAddress kGuest = IpAddress::v4(10, 0, 2, 15);
const IpAddress kPeer = IpAddress::v4(192, 0, 2, 1);

Packet packet(std::uint8_t protocol, std::uint16_t guest_port, std::uint16_t peer_port,
              std::uint8_t flags = 0, const IpAddress& peer = kPeer) {
  Packet out;
  out.protocol = protocol;
  out.from = kGuest;
  out.to = peer;
  out.from_port = guest_port;
  out.to_port = peer_port;
  out.tcp_flags = flags;
  return out;
}
Packet udp(std::uint16_t guest_port, std::uint16_t peer_port, const IpAddress& peer = kPeer) {
  return packet(ip_protocol::kUdp, guest_port, peer_port, 0, peer);
}
Packet tcp(std::uint16_t guest_port, std::uint8_t flags) {
  return packet(ip_protocol::kTcp, guest_port, 80, flags);
}
Packet ping() {
  Packet out = packet(ip_protocol::kIcmp, 0, 0);
  out.icmp_type = icmp_type::kEchoRequest;
  return out;
}
/// The same one on its way back.
Packet reply(Packet out) {
  std::swap(out.from, out.to);
  std::swap(out.from_port, out.to_port);
  return out;
}

struct Fixture {
  FlowTable flows{{.tcp = 3, .udp = 2, .pings = 1}};
  FlowTable::TimePoint now{};
  void send(const Packet& one, int fd = -1) {
    flows.begin(one, now);
    if (fd >= 0) flows.opened(fd);
    flows.end();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(nat_flow_table, Fixture)

BOOST_AUTO_TEST_CASE(flows_live_as_long_as_their_sockets_and_the_caps_count_them) {
  for (std::uint16_t port = 1; port <= 3; ++port) {
    BOOST_TEST((flows.admit(tcp(port, tcp_flag::kSyn)) == Verdict::Pass));
    send(tcp(port, tcp_flag::kSyn), port);
  }
  BOOST_TEST((flows.admit(tcp(4, tcp_flag::kSyn)) == Verdict::TcpLimit));
  // Of a connection that exists, and of none: neither opens anything.
  BOOST_TEST((flows.admit(tcp(1, tcp_flag::kSyn)) == Verdict::Pass));
  BOOST_TEST((flows.admit(tcp(4, tcp_flag::kAck)) == Verdict::Pass));
  BOOST_TEST(flows.knows(tcp(1, tcp_flag::kAck)));
  flows.closing(1);
  BOOST_TEST(!flows.knows(tcp(1, tcp_flag::kAck)));
  BOOST_TEST((flows.admit(tcp(4, tcp_flag::kSyn)) == Verdict::Pass));
  BOOST_TEST(flows.tcp_count() == 2U);
}

BOOST_AUTO_TEST_CASE(one_udp_socket_serves_many_peers_and_only_they_may_answer) {
  send(udp(1000, 53), 7);
  send(udp(1000, 54));
  BOOST_TEST(flows.udp_count() == 1U);
  BOOST_TEST(flows.expects(reply(udp(1000, 53))));
  BOOST_TEST(flows.expects(reply(udp(1000, 54))));
  BOOST_TEST(!flows.expects(reply(udp(1000, 55))));
  BOOST_TEST(!flows.expects(reply(udp(1000, 53, IpAddress::v4(192, 0, 2, 2)))));
  BOOST_TEST(!flows.expects(reply(udp(1001, 53))));
  send(udp(1001, 53), 8);
  BOOST_TEST((flows.admit(udp(1002, 53)) == Verdict::UdpLimit));
  BOOST_TEST((flows.admit(udp(1001, 99)) == Verdict::Pass));
  flows.closing(7);
  BOOST_TEST(!flows.expects(reply(udp(1000, 53))));
}

BOOST_AUTO_TEST_CASE(of_too_many_peers_the_one_of_longest_ago_makes_way) {
  send(udp(1000, 1), 7);
  for (std::uint16_t port = 2; port <= FlowTable::kPeers; ++port)
    send(udp(1000, port));
  send(udp(1000, 1));  // talked to again
  send(udp(1000, 9999));
  BOOST_TEST(flows.expects(reply(udp(1000, 1))));
  BOOST_TEST(!flows.expects(reply(udp(1000, 2))));
  BOOST_TEST(flows.expects(reply(udp(1000, 3))));
  BOOST_TEST(flows.expects(reply(udp(1000, 9999))));
}

BOOST_AUTO_TEST_CASE(a_ping_makes_way_when_it_has_had_its_time) {
  send(ping(), 5);
  BOOST_TEST((flows.admit(ping()) == Verdict::PingLimit));
  BOOST_TEST(!flows.impatient_ping(now + 999ms).has_value());
  BOOST_TEST(flows.impatient_ping(now + 1s).value_or(-1) == 5);
  flows.closing(5);
  BOOST_TEST((flows.admit(ping()) == Verdict::Pass));
}

BOOST_AUTO_TEST_CASE(connections_from_outside_come_only_from_a_listening_socket) {
  const Packet syn = reply(tcp(22, tcp_flag::kSyn));
  BOOST_TEST(!flows.expects(syn));
  flows.opened_forward(3, std::nullopt);
  flows.opened(4);  // accepted
  BOOST_TEST(flows.tcp_count() == 1U);
  BOOST_TEST(flows.expects(syn));
  BOOST_TEST(flows.expects(syn));  // sent again
  BOOST_TEST(flows.tcp_count() == 1U);
  BOOST_TEST(flows.knows(tcp(22, tcp_flag::kSyn | tcp_flag::kAck)));
  flows.begin(tcp(22, tcp_flag::kSyn | tcp_flag::kAck), now, 1000);
  flows.end();
  BOOST_TEST(flows.tcp(key_of_outgoing(tcp(22, 0)))->guest_mss == 1000);
  BOOST_TEST(flows.sockets() == 1U);
  flows.opened(5);
  flows.opened(6);
  BOOST_TEST(!flows.may_read(3));
  BOOST_TEST(flows.may_read(4));
  flows.closing(5);
  BOOST_TEST(flows.may_read(3));
}

BOOST_AUTO_TEST_CASE(a_forwarded_udp_port_hears_everybody_and_answers_only_them) {
  flows.opened_forward(3, Endpoint{kGuest, 53});
  BOOST_TEST(!flows.knows(udp(53, 40000)));
  BOOST_TEST(flows.expects(reply(udp(53, 40000))));
  BOOST_TEST(flows.knows(udp(53, 40000)));
  BOOST_TEST(!flows.knows(udp(53, 40001)));
  BOOST_TEST(flows.udp_count() == 0U);
  flows.closing(3);
  BOOST_TEST(!flows.expects(reply(udp(53, 40000))));
  BOOST_TEST(flows.forwards() == 0U);
}

BOOST_AUTO_TEST_CASE(descriptors_of_nobody_are_ignored) {
  flows.closing(99);
  BOOST_TEST(flows.sockets() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
