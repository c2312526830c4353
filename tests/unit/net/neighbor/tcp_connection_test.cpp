#include <algorithm>
#include <tests/unit/net/neighbor/tcp_peer.hpp>

namespace capsa::net::neighbor {
namespace {

using namespace std::chrono_literals;
using namespace test;
using dns::test::query;

constexpr std::uint8_t kAck = tcp_flag::kAck;
constexpr std::uint8_t kSyn = tcp_flag::kSyn;
constexpr std::uint8_t kFinAck = tcp_flag::kFin | tcp_flag::kAck;

/// A SYN with these options.
FrameBytes syn_with(std::string_view options) {
  Bytes tcp = hex("138800350000004d000000000002ff0000000000");
  const auto more = hex(options);
  tcp.insert(tcp.end(), more.begin(), more.end());
  wire::store8(tcp, 12, static_cast<std::uint8_t>(tcp.size() / 4 << 4));
  return build_ip({kGateway, kGuest}, {ip("10.0.2.15"), ip("10.0.2.2")}, ip_protocol::kTcp, tcp);
}

struct Lab : TcpLab {
  /// With a question that waits.
  TcpPeer& connected() {
    peer.connect();
    peer.send(kAck, framed(query(1, "a.example")));
    return peer;
  }
  std::size_t connections() const { return gateway.dns_tcp()->connections(); }

  TcpPeer peer{*this};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(net_neighbor_tcp_connection, Lab)

BOOST_AUTO_TEST_CASE(options_of_a_syn_say_the_mss) {
  const auto said = [](std::string_view options) {
    const auto frame = syn_with(options);
    return mss_option(frame, packet_of(frame)).value_or(0);
  };
  BOOST_TEST(said("020405b4") == 1460U);
  BOOST_TEST(said("0101080a00000000000000000204058c") == 1420U);
  for (const auto* bad : {"", "00000000020405b4", "02030000", "0200020405b40000", "080004ff",
                          "01010102", "01010204", "0801020405b40000", "02ff05b4"})
    BOOST_TEST(said(bad) == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_sent_fits_the_mss_of_the_peer_and_our_own) {
  const std::pair<const char*, std::size_t> kCases[] = {
      {"02040064", 100}, {"02040001", 64}, {"0204ffff", 1460}, {"01010101", 536}};
  FrameMeta unchecked;
  unchecked.needs_checksum = true;
  for (const auto& [option, size] : kCases) {
    gateway.on_frame(syn_with(option), unchecked, now, output);
    TcpPeer one(*this);
    one.ack = isn + 1;
    one.seq = 78;
    one.send(kAck, framed(query(1, "a.example")));
    answer(pattern(3000));
    BOOST_TEST(packet_of(frames.at(0)).payload_of(frames[0]).size() == size);
    gateway.forget(kGuest);
  }
}

BOOST_AUTO_TEST_CASE(the_answer_to_a_syn_is_sent_again_and_given_up) {
  const auto back = peer.send_at(peer.seq, kSyn);
  BOOST_TEST((peer.send_at(peer.seq, kSyn) == back));  // the guest is faster
  for (const auto after : {1s, 2s, 4s}) {
    wait(after - 1ms);
    BOOST_TEST(take().empty());
    wait(1ms);
    BOOST_TEST((take() == back));
  }
  wait(8s);
  BOOST_TEST(is_reset(take()));
  BOOST_TEST(connections() == 0U);
}

BOOST_AUTO_TEST_CASE(only_the_right_acknowledgment_opens_it) {
  peer.send_at(peer.seq, kSyn);
  ++peer.seq;
  for (const std::uint32_t wrong : {isn, isn + 2, isn - 1, isn + 0x80000001}) {
    peer.ack = wrong;
    const auto back = peer.send(kAck);
    BOOST_TEST(is_reset(back));
    BOOST_TEST(packet_of(back[0]).tcp_sequence == wrong);
  }
  peer.ack = isn + 1;
  BOOST_TEST(peer.send(kAck).empty());
  BOOST_TEST(ids_in(peer.read(peer.send(kAck, framed(query(3, "web"))))).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_long_answer_comes_in_segments_as_they_are_acknowledged) {
  connected();
  const auto message = pattern(65'000);
  answer(message);
  Bytes got;
  for (int i = 0; i < 100; ++i) {
    const auto burst = take();
    if (burst.empty()) break;
    BOOST_TEST(burst.size() <= 16U);
    got = got + peer.read(burst);
    for (auto& frame : peer.send(kAck))
      frames.push_back(std::move(frame));
  }
  BOOST_TEST((got == framed(message)));
  BOOST_TEST((gateway.dns_tcp()->next_deadline() == now + 10s));
}

BOOST_AUTO_TEST_CASE(lost_segments_are_sent_again_whichever_they_are) {
  const auto message = pattern(4000);  // 8 segments of 536
  for (unsigned lost = 0; lost < 256; ++lost) {
    TcpPeer one(*this, static_cast<std::uint16_t>(6000 + lost));
    one.connect();
    one.send(kAck, framed(query(1, "a.example")));
    answer(message);
    auto burst = take();
    BOOST_REQUIRE(burst.size() == 8U);
    for (unsigned i = 8; i-- > 0;)
      if ((lost >> i & 1) != 0) burst.erase(burst.begin() + i);
    Bytes got = one.read(burst);
    for (int i = 0; i < 40 && got.size() < message.size() + 2; ++i) {
      auto more = one.send(kAck);
      if (more.empty()) {
        wait(1s);
        more = take();
      }
      got = got + one.read(more);
    }
    BOOST_TEST((got == framed(message)));
    one.send(kAck);
    BOOST_TEST(one.send(tcp_flag::kRst).empty());
    BOOST_TEST(connections() == 0U);
    stub.forget([](const auto&) { return true; });
  }
}

BOOST_AUTO_TEST_CASE(what_nobody_acknowledges_is_sent_after_1_2_and_4_seconds_and_then_reset) {
  connected();
  answer(pattern(100));
  const auto first = take();
  BOOST_REQUIRE(first.size() == 1U);
  for (const auto after : {1s, 2s, 4s}) {
    wait(after - 1ms);
    BOOST_TEST(take().empty());
    wait(1ms);
    BOOST_TEST((take() == first));
  }
  // Idle by now: a FIN is due, and it changes nothing.
  wait(3s);
  BOOST_TEST((flags_of(take().at(0)) == kFinAck));
  wait(5s - 1ms);
  BOOST_TEST(take().empty());
  wait(1ms);
  BOOST_TEST(is_reset(take()));
  BOOST_TEST(connections() == 0U);
}

BOOST_AUTO_TEST_CASE(our_fin_is_sent_again) {
  peer.connect();
  peer.send(kFinAck);
  wait(1s);
  const auto again = take();
  BOOST_REQUIRE(again.size() == 1U);
  BOOST_TEST((flags_of(again[0]) == kFinAck));
  BOOST_TEST(packet_of(again[0]).tcp_sequence == isn + 1);
  peer.read(again);
  peer.send(kAck);
  BOOST_TEST(connections() == 0U);
}

BOOST_AUTO_TEST_CASE(a_closed_window_is_asked_about_a_byte_at_a_time) {
  connected();
  peer.window = 0;
  peer.send(kAck);
  answer(pattern(100));
  BOOST_TEST(take().empty());
  wait(1s);
  auto probe = take();
  BOOST_REQUIRE(probe.size() == 1U);
  BOOST_TEST(packet_of(probe[0]).payload_of(probe[0]).size() == 1U);
  BOOST_TEST(peer.send(kAck).empty());  // closed still; the byte is not taken
  peer.window = 40;
  auto got = peer.read(peer.send(kAck));
  BOOST_TEST(got.size() == 40U);
  peer.window = 1000;
  got = got + peer.read(peer.send(kAck));
  BOOST_TEST((got == framed(pattern(100))));
}

BOOST_AUTO_TEST_CASE(segments_out_of_order_are_not_taken_but_answered) {
  peer.connect();
  const auto stream = framed(query(1, "web"));
  const Bytes tail(stream.begin() + 5, stream.end());
  BOOST_TEST(is_bare_ack(peer.send_at(peer.seq + 5, kAck, tail), peer.seq));
  // Twice the front, and then a segment that overlaps it.
  const Bytes front(stream.begin(), stream.begin() + 5);
  peer.send(kAck, front);
  BOOST_TEST(is_bare_ack(peer.send_at(peer.seq - 5, kAck, front), peer.seq));
  const auto back = peer.send_at(peer.seq - 5, kFinAck, stream);
  BOOST_TEST(ids_in(peer.read(back)).size() == 1U);
  BOOST_TEST(peer.has_fin);
}

BOOST_AUTO_TEST_CASE(a_segment_larger_than_the_window_is_taken_in_part) {
  peer.connect();
  const auto stream = framed(pattern(9000));
  const auto back = peer.send_at(peer.seq, kFinAck, stream);
  BOOST_TEST(is_bare_ack(back, peer.seq + 8192));
  BOOST_TEST(is_bare_ack(peer.send_at(peer.seq + 8192 + 8192, kAck, Bytes(1)), peer.seq + 8192));
}

BOOST_AUTO_TEST_CASE(a_reset_must_hit_the_next_number) {
  connected();
  for (const std::uint32_t near : {1U, 100U, 8191U})
    BOOST_TEST(is_bare_ack(peer.send_at(peer.seq + near, tcp_flag::kRst), peer.seq));
  for (const std::uint32_t off : {8192U, 0x80000000U, 0xffffffffU})
    BOOST_TEST(peer.send_at(peer.seq + off, tcp_flag::kRst).empty());
  BOOST_TEST(connections() == 1U);
  peer.send(tcp_flag::kRst);
  BOOST_TEST(connections() == 0U);
}

BOOST_AUTO_TEST_CASE(a_guest_that_has_forgotten_gets_its_port_back) {
  connected();
  const auto back = peer.send_at(4711, kSyn);
  BOOST_TEST(is_bare_ack(back, peer.seq));
  BOOST_TEST(peer.send_at(packet_of(back[0]).tcp_acknowledgment, tcp_flag::kRst).empty());
  peer.seq = 4711;
  peer.connect();
}

BOOST_AUTO_TEST_CASE(acknowledgments_of_what_was_never_sent_carry_no_data) {
  connected();
  const auto right = peer.ack;
  for (const std::uint32_t off : {1U, 0x7fffffffU, 0x80000000U, 0xffff0000U}) {
    peer.ack = right + off;
    BOOST_TEST(is_bare_ack(peer.send_at(peer.seq, kAck, framed(query(2, "web"))), peer.seq));
  }
  peer.ack = right - 0xffff;  // old, but possible
  BOOST_TEST(ids_in(peer.read(peer.send(kAck, framed(query(2, "web"))))).empty());
  BOOST_TEST(gateway.dns_tcp()->stats().questions == 2U);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_answered_ten_times_a_second) {
  connected();
  std::size_t answers = 0;
  for (int i = 0; i < 100; ++i)
    answers += peer.send_at(peer.seq + 0x10000, kAck, Bytes(1)).size();
  BOOST_TEST(answers == 10U);
  now += 1s;
  BOOST_TEST(peer.send_at(peer.seq + 0x10000, kAck, Bytes(1)).size() == 1U);
}

BOOST_AUTO_TEST_CASE(segments_without_acknowledgment_or_behind_a_fin_carry_nothing) {
  peer.connect();
  BOOST_TEST(peer.send_at(peer.seq, tcp_flag::kPsh, framed(query(2, "web"))).empty());
  peer.send(kAck, framed(query(1, "a.example")));
  peer.send(kFinAck);
  BOOST_TEST(is_bare_ack(peer.send_at(peer.seq, kAck, framed(query(2, "web"))), peer.seq));
  BOOST_TEST(gateway.dns_tcp()->stats().questions == 1U);
}

BOOST_AUTO_TEST_CASE(sequence_numbers_wrap_in_both_directions) {
  const auto message = pattern(3000);
  for (std::uint32_t before = 0; before < 40; ++before) {
    isn = 0U - before * 80;
    TcpPeer one(*this, static_cast<std::uint16_t>(7000 + before));
    one.seq = 0U - before;
    one.connect();
    const auto asks = framed(query(1, "web")) + framed(query(2, "a.example"));
    Bytes got = one.read(one.send(kAck, asks));
    BOOST_TEST(ids_in(got).size() == 1U);
    answer(message);
    take();  // all of it is lost
    Bytes rest;
    for (int i = 0; i < 20 && rest.size() < message.size() + 2; ++i) {
      auto more = one.send(kAck);
      if (more.empty()) {
        wait(1s);
        more = take();
      }
      rest = rest + one.read(more);
    }
    BOOST_TEST((rest == framed(message)));
    one.read(one.send(kFinAck));
    BOOST_TEST(one.has_fin);
    one.send(kAck);
    BOOST_TEST(connections() == 0U);
    stub.forget([](const auto&) { return true; });
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::neighbor
