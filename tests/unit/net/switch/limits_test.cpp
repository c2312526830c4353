#include <boost/test/unit_test.hpp>
#include <tests/unit/net/switch/bench.hpp>

// What a hostile or broken port can do to others: nothing.
namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_switch_limits)

BOOST_AUTO_TEST_CASE(a_locked_port_sends_in_its_own_name_only) {
  Bench bench;
  const PortId a = bench.add({.locked_mac = mac(1)}), b = bench.add({.locked_mac = mac(2)});
  // Known before it has sent anything.
  bench.forward(a, ethernet(mac(2), mac(1)));
  BOOST_TEST(bench.take(1).size() == 1U);
  bench.forward(a, {ethernet(mac(2), mac(3)), ethernet(mac(2), mac(2)),
                    ethernet(MacAddress::broadcast(), mac(3)), ethernet(mac(2), MacAddress())});
  BOOST_TEST(bench.take(1).empty());
  BOOST_TEST(bench.dropped(a, FrameDrop::Spoofed) == 4U);
  BOOST_TEST((bench.net.port_of(mac(2), bench.now) == b));
  bench.now += 1h;
  BOOST_TEST((bench.net.port_of(mac(2), bench.now) == b));
}

BOOST_AUTO_TEST_CASE(an_address_is_locked_to_one_port_and_is_a_stations) {
  Bench bench;
  const PortId a = bench.add({.locked_mac = mac(1)});
  Recorder other;
  for (const MacAddress& bad : {mac(1), MacAddress(), MacAddress::broadcast()}) {
    const auto refused = bench.net.add_port(other, {.locked_mac = bad});
    BOOST_REQUIRE(!refused);
    BOOST_TEST((refused.error().code() == ErrorCode::InvalidConfig));
  }
  BOOST_TEST(bench.net.ports() == 1U);
  bench.net.remove_port(a);
  BOOST_TEST(bench.net.add_port(other, {.locked_mac = mac(1)}).ok());
}

BOOST_AUTO_TEST_CASE(nobody_takes_the_place_of_a_locked_station_or_of_one_behind_an_uplink) {
  Bench bench;
  const PortId locked = bench.add({.locked_mac = mac(1)}), gateway = bench.add({.uplink = true});
  const PortId liar = bench.add();
  bench.hear(gateway, mac(2));
  bench.now += 10s;
  bench.forward(
      liar, {ethernet(MacAddress::broadcast(), mac(1)), ethernet(MacAddress::broadcast(), mac(2))});
  BOOST_TEST(bench.dropped(liar, FrameDrop::Spoofed) == 2U);
  BOOST_TEST(bench.take(0).empty());
  BOOST_TEST((bench.net.port_of(mac(1), bench.now) == locked));
  BOOST_TEST((bench.net.port_of(mac(2), bench.now) == gateway));
}

BOOST_AUTO_TEST_CASE(a_station_moves_but_does_not_flap) {
  Bench bench;
  const PortId a = bench.add(), b = bench.add();
  bench.hear(a, mac(1));
  bench.hear(b, mac(1));
  BOOST_TEST((bench.net.port_of(mac(1), bench.now) == b));
  bench.now += 999ms;
  bench.hear(a, mac(1));
  BOOST_TEST((bench.net.port_of(mac(1), bench.now) == b));
  BOOST_TEST(bench.net.stats(a)->moves_not_learned == 1U);
  bench.now += 1ms;
  bench.hear(a, mac(1));
  BOOST_TEST((bench.net.port_of(mac(1), bench.now) == a));
  BOOST_TEST(bench.net.stations() == 1U);
}

BOOST_AUTO_TEST_CASE(a_flood_of_stations_fills_the_places_of_its_own_port_only) {
  Bench bench;
  const PortId a = bench.add(), b = bench.add();
  bench.hear(b, mac(1));
  std::vector<Bytes> flood;
  for (unsigned station = 1000; station < 1200; ++station)
    flood.push_back(ethernet(mac(1), mac(station)));
  bench.forward(a, flood);
  // Its frames still arrive: it is the table that has an end.
  BOOST_TEST(bench.take(1).size() == 200U);
  BOOST_TEST(bench.net.stations() == 65U);
  BOOST_TEST(bench.net.stats(a)->macs_not_learned == 136U);
  BOOST_TEST((bench.net.port_of(mac(1), bench.now) == b));
  BOOST_TEST((bench.net.port_of(mac(1063), bench.now) == a));
  BOOST_TEST(!bench.net.port_of(mac(1064), bench.now));
  // Once those have aged there is room again.
  bench.now += 300s;
  bench.hear(a, mac(1100));
  BOOST_TEST((bench.net.port_of(mac(1100), bench.now) == a));
  BOOST_TEST(bench.net.stations() == 1U);
}

BOOST_AUTO_TEST_CASE(a_slow_port_loses_its_own_frames_only) {
  Bench bench;
  const PortId a = bench.add(), slow = bench.add(), quick = bench.add();
  bench.hear(slow, mac(2));
  bench.hear(quick, mac(3));
  bench.recorders[1].room = 3;
  std::vector<Bytes> frames;
  for (unsigned at = 0; at < 20; ++at)
    frames.push_back(ethernet(mac(2 + at % 2), mac(1), 100, at));
  bench.forward(a, frames);
  BOOST_TEST((bench.take(1) == Frames{frames[0], frames[2], frames[4]}));
  BOOST_TEST(bench.take(2).size() == 10U);
  BOOST_TEST(bench.dropped(slow, FrameDrop::Overflow) == 7U);
  BOOST_TEST(bench.net.stats(slow)->frames_out == 3U);
  BOOST_TEST(bench.net.stats(slow)->bytes_out == 300U);
  BOOST_TEST(bench.dropped(quick, FrameDrop::Overflow) == 0U);
  BOOST_TEST(bench.net.stats(a)->dropped() == 0U);
  BOOST_TEST(bench.pool->stats().bytes_in_use == 0U);
}

BOOST_AUTO_TEST_CASE(a_storm_of_broadcasts_is_cut_down_to_its_limit) {
  Bench bench;
  const PortId a = bench.add({.flood_limit = {.per_second = 100, .burst = 10}}), b = bench.add();
  bench.hear(b, mac(2));
  std::vector<Bytes> storm(50, ethernet(MacAddress::broadcast(), mac(1)));
  bench.forward(a, storm);
  BOOST_TEST(bench.take(1).size() == 10U);
  bench.now += 50ms;
  bench.forward(a, storm);
  BOOST_TEST(bench.take(1).size() == 5U);
  BOOST_TEST(bench.dropped(a, FrameDrop::Flooding) == 85U);
  // What is to one station is not limited.
  bench.forward(a, std::vector<Bytes>(50, ethernet(mac(2), mac(1))));
  BOOST_TEST(bench.take(1).size() == 50U);
}

BOOST_AUTO_TEST_CASE(copies_that_there_is_no_memory_for_are_lost_at_their_ports) {
  Bench bench({.copy_bytes = 3 * 2048});
  const PortId a = bench.add(), b = bench.add();
  const PortId last = bench.add();
  bench.forward(a, std::vector<Bytes>(5, ethernet(MacAddress::broadcast(), mac(1))));
  BOOST_TEST(bench.recorders[1].frames.size() == 3U);
  BOOST_TEST(bench.recorders[2].frames.size() == 5U);
  BOOST_TEST(bench.dropped(b, FrameDrop::NoMemory) == 2U);
  BOOST_TEST(bench.net.stats(last)->dropped() == 0U);
}

BOOST_AUTO_TEST_CASE(there_is_an_end_to_ports) {
  Bench bench;
  PortId last;
  for (std::size_t at = 0; at < Switch::kMaxPorts; ++at)
    last = bench.add({.locked_mac = mac(static_cast<unsigned>(at))});
  Recorder other;
  const auto refused = bench.net.add_port(other);
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code() == ErrorCode::ResourceExhausted));
  bench.net.remove_port(last);
  BOOST_TEST(bench.net.add_port(other).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
