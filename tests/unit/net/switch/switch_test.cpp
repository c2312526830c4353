#include <boost/test/unit_test.hpp>
#include <tests/unit/net/switch/bench.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_switch)

BOOST_AUTO_TEST_CASE(a_frame_to_a_known_station_is_moved_to_its_port_only) {
  Bench bench;
  const PortId a = bench.add(), b = bench.add(), c = bench.add();
  bench.hear(b, mac(2));
  FrameBatch batch = bench.pool->batch();
  batch.push(make_frame(*bench.pool, ethernet(mac(2), mac(1))));
  const std::byte* where = batch[0].bytes().data();
  bench.net.forward(a, std::move(batch), bench.now);
  BOOST_REQUIRE(bench.recorders[1].frames.size() == 1U);
  BOOST_TEST(bench.recorders[1].frames[0].bytes().data() == where);
  BOOST_TEST((bench.take(1) == Frames{ethernet(mac(2), mac(1))}));
  BOOST_TEST(bench.take(0).empty());
  BOOST_TEST(bench.take(2).empty());
  BOOST_TEST((bench.net.port_of(mac(1), bench.now) == a));
  BOOST_TEST((bench.net.port_of(mac(2), bench.now) == b));
  BOOST_TEST(bench.net.stats(c)->frames_out == 0U);
  BOOST_TEST(bench.net.stations() == 2U);
}

BOOST_AUTO_TEST_CASE(a_broadcast_goes_to_all_but_its_sender) {
  Bench bench;
  const PortId a = bench.add();
  bench.add();
  bench.add();
  const Bytes frame = ethernet(MacAddress::broadcast(), mac(1));
  bench.forward(a, frame);
  BOOST_TEST(bench.take(0).empty());
  BOOST_TEST((bench.take(1) == Frames{frame}));
  BOOST_TEST((bench.take(2) == Frames{frame}));
}

BOOST_AUTO_TEST_CASE(each_port_gets_one_batch_for_one_and_frames_in_order) {
  Bench bench;
  const PortId a = bench.add(), b = bench.add(), c = bench.add();
  bench.hear(b, mac(2));
  bench.hear(c, mac(3));
  std::vector<Bytes> frames, to_b, to_c;
  for (unsigned at = 0; at < 200; ++at) {
    const unsigned to = at % 7 == 0 ? 0 : 2 + at % 2;
    frames.push_back(ethernet(to == 0 ? MacAddress::broadcast() : mac(to), mac(1), 60, at));
    if (to != 3) to_b.push_back(frames.back());
    if (to != 2) to_c.push_back(frames.back());
  }
  bench.forward(a, frames);
  BOOST_TEST(bench.recorders[1].sizes.size() == 1U);
  BOOST_TEST(bench.recorders[2].sizes.size() == 1U);
  BOOST_TEST((bench.take(1) == to_b));
  BOOST_TEST((bench.take(2) == to_c));
}

BOOST_AUTO_TEST_CASE(a_frame_to_an_unknown_station_goes_to_the_uplink_or_to_everyone) {
  for (const bool everyone : {false, true}) {
    Bench bench({.unknown_unicast = everyone ? SwitchOptions::UnknownUnicast::Everyone
                                             : SwitchOptions::UnknownUnicast::Uplinks});
    const PortId a = bench.add();
    bench.add();
    const PortId gateway = bench.add({.uplink = true});
    const Bytes frame = ethernet(mac(9), mac(1));
    bench.forward(a, frame);
    BOOST_TEST(bench.take(1).size() == (everyone ? 1U : 0U));
    BOOST_TEST((bench.take(2) == Frames{frame}));
    bench.forward(gateway, ethernet(mac(9), mac(100)));
    BOOST_TEST(bench.take(1).size() == (everyone ? 1U : 0U));
    BOOST_TEST(bench.dropped(gateway, FrameDrop::NoDestination) == (everyone ? 0U : 1U));
  }
}

BOOST_AUTO_TEST_CASE(a_station_that_is_silent_for_long_is_forgotten) {
  Bench bench;
  const PortId a = bench.add(), b = bench.add();
  bench.hear(b, mac(2));
  bench.now += 299s;
  bench.forward(a, ethernet(mac(2), mac(1)));
  BOOST_TEST(bench.take(1).size() == 1U);
  bench.now += 1s;
  bench.forward(a, ethernet(mac(2), mac(1)));
  BOOST_TEST(bench.take(1).empty());
  BOOST_TEST(bench.dropped(a, FrameDrop::NoDestination) == 1U);
  BOOST_TEST(bench.net.stations() == 1U);
}

BOOST_AUTO_TEST_CASE(frames_that_no_bridge_forwards_are_dropped) {
  Bench bench;
  const PortId a = bench.add();
  const PortId b = bench.add();
  bench.hear(a, mac(1));
  const auto sent = [&](const Bytes& frame) {
    bench.forward(a, frame);
    return !bench.take(1).empty();
  };
  BOOST_TEST(!sent(ethernet(mac(1), mac(1))));  // behind the same port
  BOOST_TEST(!sent(ethernet(MacAddress({1, 0x80, 0xc2, 0, 0, 0}), mac(1))));
  BOOST_TEST(!sent(ethernet(MacAddress({1, 0x80, 0xc2, 0, 0, 15}), mac(1))));
  BOOST_TEST(sent(ethernet(MacAddress({1, 0x80, 0xc2, 0, 0, 16}), mac(1))));
  BOOST_TEST(!sent(ethernet(MacAddress::broadcast(), MacAddress())));
  BOOST_TEST(!sent(ethernet(MacAddress::broadcast(), MacAddress({3, 0, 0, 0, 0, 1}))));
  BOOST_TEST(bench.dropped(a, FrameDrop::OwnStation) == 1U);
  BOOST_TEST(bench.dropped(a, FrameDrop::Reserved) == 2U);
  BOOST_TEST(bench.dropped(a, FrameDrop::BadSource) == 2U);
  BOOST_TEST(bench.net.stats(b)->frames_out == 1U);
  FrameBatch holes = bench.pool->batch();
  holes.push(make_frame(*bench.pool, ethernet(MacAddress::broadcast(), mac(1))));
  const Frame taken = std::move(holes[0]);
  bench.net.forward(a, std::move(holes), bench.now);
  BOOST_TEST(bench.take(1).empty());
}

BOOST_AUTO_TEST_CASE(
    a_port_that_is_gone_neither_sends_nor_receives_and_its_name_is_not_given_again) {
  Bench bench;
  const PortId a = bench.add(), b = bench.add();
  bench.hear(b, mac(2));
  bench.net.remove_port(b);
  bench.net.remove_port(b);
  BOOST_TEST(bench.net.ports() == 1U);
  BOOST_TEST(bench.net.stations() == 0U);
  bench.forward(b, ethernet(MacAddress::broadcast(), mac(2)));
  BOOST_TEST(bench.net.strays() == 1U);
  bench.forward(a, ethernet(mac(2), mac(1)));
  BOOST_TEST(bench.dropped(a, FrameDrop::NoDestination) == 1U);
  for (int round = 0; round < 100; ++round) {
    const PortId next = bench.add();
    BOOST_TEST((next != b));
    BOOST_TEST(!bench.net.stats(b));
    bench.net.remove_port(next);
  }
  bench.net.set_link(b, false);
  BOOST_TEST(!bench.net.link_up(b));
  BOOST_TEST(!bench.net.stats(PortId()));
}

BOOST_AUTO_TEST_CASE(a_pulled_cable_loses_frames_of_both_directions) {
  Bench bench;
  const PortId a = bench.add(), b = bench.add();
  bench.hear(b, mac(2));
  bench.net.set_link(b, false);
  BOOST_TEST((bench.net.link_up(b) == false));
  bench.forward(a, ethernet(mac(2), mac(1)));
  bench.forward(b, ethernet(mac(1), mac(2)));
  BOOST_TEST(bench.take(0).empty());
  BOOST_TEST(bench.take(1).empty());
  BOOST_TEST(bench.dropped(b, FrameDrop::LinkDown) == 2U);
  bench.net.set_link(b, true);
  bench.forward(a, ethernet(mac(2), mac(1)));
  BOOST_TEST(bench.take(1).size() == 1U);
}

BOOST_AUTO_TEST_CASE(isolated_ports_reach_uplinks_only) {
  Bench bench;
  const PortId a = bench.add({.isolated = true}), b = bench.add({.isolated = true});
  const PortId free = bench.add(), gateway = bench.add({.uplink = true});
  bench.hear(b, mac(2));
  bench.hear(free, mac(3));
  bench.hear(gateway, mac(4));
  const auto reached = [&](PortId from, unsigned station, const MacAddress& to) {
    bench.forward(from, ethernet(to, mac(station)));
    std::vector<std::size_t> ports;
    for (std::size_t port = 0; port < 4; ++port)
      if (!bench.take(port).empty()) ports.push_back(port);
    return ports;
  };
  using Ports = std::vector<std::size_t>;
  BOOST_TEST((reached(a, 1, mac(2)) == Ports{}));
  BOOST_TEST((reached(a, 1, mac(3)) == Ports{}));
  BOOST_TEST((reached(a, 1, mac(4)) == Ports{3}));
  BOOST_TEST((reached(a, 1, MacAddress::broadcast()) == Ports{3}));
  BOOST_TEST((reached(free, 3, mac(1)) == Ports{}));
  BOOST_TEST((reached(free, 3, MacAddress::broadcast()) == Ports{3}));
  BOOST_TEST((reached(gateway, 4, mac(2)) == Ports{1}));
  BOOST_TEST((reached(gateway, 4, MacAddress::broadcast()) == Ports{0, 1, 2}));
  BOOST_TEST(bench.dropped(a, FrameDrop::Isolated) == 2U);
}

BOOST_AUTO_TEST_CASE(counters_tell_frames_and_bytes_of_both_directions) {
  Bench bench;
  const PortId a = bench.add(), b = bench.add();
  bench.hear(b, mac(2));
  bench.forward(a, {ethernet(mac(2), mac(1), 100), ethernet(mac(2), mac(1), 1500)});
  BOOST_TEST(bench.net.stats(a)->frames_in == 2U);
  BOOST_TEST(bench.net.stats(a)->bytes_in == 1600U);
  BOOST_TEST(bench.net.stats(b)->frames_out == 2U);
  BOOST_TEST(bench.net.stats(b)->bytes_out == 1600U);
  BOOST_TEST(bench.net.stats(a)->dropped() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
