#include <tests/unit/net/neighbor/tcp_peer.hpp>

namespace capsa::net::neighbor {
namespace {

using namespace std::chrono_literals;
using namespace test;
using dns::test::query;

using Ids = std::vector<unsigned>;

constexpr std::uint8_t kAck = tcp_flag::kAck;
constexpr std::uint8_t kFinAck = tcp_flag::kFin | tcp_flag::kAck;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(net_neighbor_dns_tcp, TcpLab)

BOOST_AUTO_TEST_CASE(a_connection_is_opened_with_our_mss_and_window) {
  for (const auto* to : {"10.0.2.2", "fd00:2::2", "fe80::2"}) {
    TcpPeer peer(*this);
    peer.to = ip(to);
    peer.from = ip(peer.to.is_v4() ? "10.0.2.15" : "fd00:2::15");
    const auto back = peer.send_at(41, tcp_flag::kSyn);
    BOOST_REQUIRE(back.size() == 1U);
    const Packet packet = packet_of(back[0]);
    BOOST_TEST(transport_checksum_ok(back[0], packet));
    BOOST_TEST((packet.from == peer.to && packet.to == peer.from));
    BOOST_TEST(packet.destination_mac == kGuest);
    BOOST_TEST(packet.tcp_sequence == 1000U);
    BOOST_TEST(packet.tcp_acknowledgment == 42U);
    BOOST_TEST((mss_option(back[0], packet) == (peer.to.is_v4() ? 1460 : 1440)));
    BOOST_TEST(wire::load16(back[0], packet.transport + 14) == 8192U);
  }
  BOOST_TEST(gateway.dns_tcp()->connections() == 3U);
}

BOOST_AUTO_TEST_CASE(a_question_is_answered_and_acknowledged_in_one_segment) {
  for (const auto* to : {"10.0.2.2", "fd00:2::2"}) {
    TcpPeer peer(*this);
    peer.to = ip(to);
    peer.from = ip(peer.to.is_v4() ? "10.0.2.15" : "fd00:2::15");
    peer.connect();
    const auto back = peer.send(kAck, framed(query(7, "web")));
    BOOST_REQUIRE(back.size() == 1U);
    BOOST_TEST(packet_of(back[0]).tcp_acknowledgment == peer.seq);
    BOOST_TEST(ids_in(peer.read(back)) == (Ids{7}));
  }
}

BOOST_AUTO_TEST_CASE(answers_from_upstream_come_when_they_come) {
  TcpPeer peer(*this);
  peer.connect();
  const auto both = framed(query(1, "a.example")) + framed(query(2, "b.example"));
  const auto back = peer.send(kAck, both);
  BOOST_TEST(is_bare_ack(back, peer.seq));
  BOOST_REQUIRE(asked.size() == 2U);
  BOOST_TEST((clients[0].transport == dns::Transport::Tcp));
  BOOST_TEST(clients[0].owner == Gateway::owner_of(kGuest));
  answer_upstream(asked[1], "b.example");
  BOOST_TEST(ids_in(peer.read(take())) == (Ids{2}));
  answer_upstream(asked[0], "a.example");
  BOOST_TEST(ids_in(peer.read(take())) == (Ids{1}));
}

BOOST_AUTO_TEST_CASE(many_questions_in_one_segment_are_answered_in_full_segments) {
  TcpPeer peer(*this);
  peer.connect();
  Bytes all;
  Ids ids;
  for (unsigned id = 0; id < 100; ++id) {
    all = all + framed(query(id, "web"));
    ids.push_back(id);
  }
  const auto back = peer.send(kAck, all);
  BOOST_TEST(packet_of(back[0]).payload_of(back[0]).size() == 536U);  // we did not say any MSS
  BOOST_TEST(ids_in(peer.read(back)) == ids);
}

BOOST_AUTO_TEST_CASE(a_stream_may_be_cut_anywhere) {
  const auto stream = framed(query(1, "web")) + framed(query(2, "web"));
  for (std::size_t cut = 1; cut < stream.size(); ++cut) {
    TcpPeer peer(*this, static_cast<std::uint16_t>(6000 + cut));
    peer.connect();
    const auto at = stream.begin() + static_cast<std::ptrdiff_t>(cut);
    auto got = peer.read(peer.send(kAck, {stream.begin(), at}));
    got = got + peer.read(peer.send(kAck, {at, stream.end()}));
    BOOST_TEST(ids_in(got) == (Ids{1, 2}));
    peer.send(tcp_flag::kRst);
  }
  TcpPeer peer(*this);
  peer.connect();
  Bytes got;
  for (const std::byte byte : stream)
    got = got + peer.read(peer.send(kAck, {byte}));
  BOOST_TEST(ids_in(got) == (Ids{1, 2}));
}

BOOST_AUTO_TEST_CASE(a_guest_that_closes_first_gets_what_it_waits_for) {
  TcpPeer peer(*this);
  peer.connect();
  const auto asks = framed(query(1, "web")) + framed(query(2, "a.example"));
  BOOST_TEST(ids_in(peer.read(peer.send(kFinAck, asks))) == (Ids{1}));
  BOOST_TEST(!peer.has_fin);
  BOOST_TEST(peer.send(kAck).empty());
  answer_upstream(asked.at(0), "a.example");
  BOOST_TEST(ids_in(peer.read(take())) == (Ids{2}));
  BOOST_TEST(peer.has_fin);
  BOOST_TEST(gateway.dns_tcp()->connections() == 1U);
  BOOST_TEST(peer.send(kAck).empty());
  BOOST_TEST(gateway.dns_tcp()->connections() == 0U);
}

BOOST_AUTO_TEST_CASE(a_guest_that_waits_for_nothing_is_let_go_at_once) {
  TcpPeer peer(*this);
  peer.connect();
  // Half a message, one that is none, and the same question twice: nobody answers the rest.
  peer.send(kAck, framed(query(1, "a.example")) + framed(query(1, "a.example")));
  answer_upstream(asked.at(0), "a.example");
  peer.read(take());
  peer.read(peer.send(kFinAck, hex("0003aabbcc00ff01")));
  BOOST_TEST(peer.has_fin);
  peer.send(kAck);
  BOOST_TEST(gateway.dns_tcp()->connections() == 0U);
}

BOOST_AUTO_TEST_CASE(an_idle_connection_is_closed_by_us_and_then_given_up) {
  TcpPeer peer(*this);
  peer.connect();
  wait(9s);
  BOOST_TEST(take().empty());
  peer.read(peer.send(kAck, framed(query(1, "web"))));
  peer.send(kAck);
  BOOST_TEST((gateway.dns_tcp()->next_deadline() == now + 10s));
  wait(9s);
  BOOST_TEST(peer.send(kAck, hex("00ff")).size() == 1U);  // half a question is no use
  wait(1s);
  peer.read(take());
  BOOST_TEST(peer.has_fin);
  // The well-behaved close, too.
  TcpPeer rude(*this, 5001);
  rude.connect();
  peer.send(kAck);
  const auto back = peer.send(kFinAck);
  BOOST_TEST(is_bare_ack(back, peer.seq));
  BOOST_TEST(gateway.dns_tcp()->connections() == 1U);
  wait(10s);
  rude.read(take());
  BOOST_TEST(rude.has_fin);
  rude.send(kAck);
  wait(10s);
  BOOST_TEST(is_reset(take()));
  BOOST_TEST(gateway.dns_tcp()->connections() == 0U);
  BOOST_TEST(!gateway.dns_tcp()->next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(a_question_behind_our_fin_is_reset_so_that_it_is_asked_again) {
  TcpPeer peer(*this);
  peer.connect();
  wait(10s);
  peer.read(take());
  BOOST_TEST(peer.has_fin);
  BOOST_TEST(is_reset(peer.send(kAck, framed(query(1, "web")))));
  BOOST_TEST(gateway.dns_tcp()->connections() == 0U);
}

BOOST_AUTO_TEST_CASE(a_reset_ends_it_and_what_it_waited_for) {
  TcpPeer peer(*this);
  peer.connect();
  peer.send(kAck, framed(query(1, "a.example")));
  BOOST_TEST(stub.under_way() == 1U);
  BOOST_TEST(peer.send(tcp_flag::kRst).empty());
  BOOST_TEST(gateway.dns_tcp()->connections() == 0U);
  BOOST_TEST(stub.under_way() == 0U);
  // The port used again is another connection: what the stub says late is not for it.
  TcpPeer again(*this);
  again.connect();
  answer(Bytes(40));
  BOOST_TEST(take().empty());
}

BOOST_AUTO_TEST_CASE(a_guest_has_eight_connections_and_all_together_128) {
  for (unsigned i = 0; i < 20; ++i) {
    for (std::uint16_t port = 1; port <= 9; ++port) {
      TcpPeer peer(*this, port);
      peer.mac = MacAddress({0x52, 0x54, 0, 0, 1, static_cast<std::uint8_t>(i)});
      const auto back = peer.send_at(5, tcp_flag::kSyn);
      BOOST_TEST(is_reset(back) == (port == 9 || i >= 16));
    }
  }
  BOOST_TEST(gateway.dns_tcp()->connections() == 128U);
  BOOST_TEST(gateway.dns_tcp()->stats().refused == 16U + 4 * 9U);
  // One that leaves makes room for one.
  gateway.forget(MacAddress({0x52, 0x54, 0, 0, 1, 3}));
  BOOST_TEST(gateway.dns_tcp()->connections() == 120U);
  TcpPeer peer(*this);
  peer.connect();
}

BOOST_AUTO_TEST_CASE(a_guest_that_left_is_forgotten_with_its_questions) {
  TcpPeer peer(*this);
  peer.connect();
  peer.send(kAck, framed(query(1, "a.example")));
  gateway.forget(kOther);
  BOOST_TEST(stub.under_way() == 1U);
  gateway.forget(kGuest);
  BOOST_TEST(stub.under_way() == 0U);
  BOOST_TEST(gateway.dns_tcp()->connections() == 0U);
  BOOST_TEST(take().empty());
}

BOOST_AUTO_TEST_CASE(who_asks_and_never_reads_is_reset) {
  TcpPeer peer(*this);
  peer.connect();
  peer.send(kAck, framed(query(1, "a.example")));
  answer(Bytes(65'535));
  BOOST_TEST(take().size() == 16U);
  answer(Bytes(4000));
  BOOST_TEST(take().empty());
  answer(Bytes(4000));
  BOOST_TEST(is_reset(take()));
  BOOST_TEST(gateway.dns_tcp()->stats().overflows == 1U);
  BOOST_TEST((*gateway.dns_tcp()->next_deadline() <= now));
  wait(0s);
  BOOST_TEST(gateway.dns_tcp()->connections() == 0U);
}

BOOST_AUTO_TEST_CASE(who_never_reads_what_is_answered_at_once_is_reset_too) {
  TcpPeer peer(*this);
  peer.connect();
  Bytes all;
  for (unsigned id = 0; id < 300; ++id)
    all = all + framed(query(id, "web"));
  std::vector<FrameBytes> back;
  for (int i = 0; i < 20 && !is_reset(back); ++i)
    back = peer.send(kAck, all);
  BOOST_TEST(is_reset(back));
  BOOST_TEST(gateway.dns_tcp()->connections() == 0U);
}

BOOST_AUTO_TEST_CASE(segments_of_no_connection_and_of_other_ports_are_not_served) {
  TcpPeer peer(*this);
  BOOST_TEST(is_reset(peer.send(kAck, Bytes(3))));
  BOOST_TEST(peer.send(tcp_flag::kRst).empty());
  BOOST_TEST(gateway.dns_tcp()->stats().strays == 2U);
  const TcpFields syn{.from_port = 5000, .to_port = 80, .flags = tcp_flag::kSyn};
  const IpFields ours{ip("10.0.2.15"), ip("10.0.2.2")};
  BOOST_TEST(!gateway.on_frame(build_tcp({kGateway, kGuest}, ours, syn), {}, now, output));
  BOOST_TEST(take().empty());
}

BOOST_AUTO_TEST_CASE(a_wrong_checksum_counts_unless_it_is_still_to_be_made) {
  TcpPeer peer(*this);
  auto frame = peer.segment(tcp_flag::kSyn, 5);
  frame[packet_of(frame).transport + 16] ^= std::byte{1};
  BOOST_TEST(gateway.on_frame(frame, {}, now, output));
  BOOST_TEST(take().empty());
  BOOST_TEST(gateway.stats().malformed == 1U);
  FrameMeta meta;
  meta.needs_checksum = true;
  BOOST_TEST(gateway.on_frame(frame, meta, now, output));
  BOOST_TEST(take().size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::neighbor
