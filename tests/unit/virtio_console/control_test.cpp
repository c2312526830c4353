#include <boost/test/unit_test.hpp>
#include <tests/unit/virtio_console/bench.hpp>

namespace capsa::virtio::console::test {

namespace {

/// A terminal and a stream, with a driver that has said hello.
struct TwoPorts : Bench {
  explicit TwoPorts(FakeDriverOptions options = {})
      : Bench({PortSpec{}, {"org.capsa.log", false}}, options) {
    boot(kFeatureSize | kFeatureMultiport);
  }
  void hello(std::size_t buffers = 16) {
    give_control(buffers);
    tell(Event::DeviceReady);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_console_control)

BOOST_AUTO_TEST_CASE(the_handshake_names_every_port_and_opens_it_when_the_guest_does) {
  for (const bool event_idx : {false, true}) {
    TwoPorts bench({.event_idx = event_idx});
    bench.device.resize(0, 80, 25);
    BOOST_TEST(bench.told() == "");
    bench.hello();
    BOOST_TEST(bench.told() == "ADD 0; ADD 1");
    bench.tell(Event::PortReady, 1, 0);
    BOOST_TEST(bench.told() == "CONSOLE 0; SIZE 0 80x25; OPEN 0=1");
    bench.tell(Event::PortReady, 1, 1);
    BOOST_TEST(bench.told() == "NAME 1 org.capsa.log; OPEN 1=1");
    BOOST_TEST(bench.host.take() == "");
    bench.tell(Event::PortOpen, 1, 1);
    BOOST_TEST(bench.host.take() == "open 1");
    BOOST_TEST(bench.device.guest_open(1));
    bench.tell(Event::PortOpen, 1, 1);
    BOOST_TEST(bench.host.take() == "");
    bench.tell(Event::PortOpen, 0, 1);
    BOOST_TEST(bench.host.take() == "closed 1");
  }
}

BOOST_AUTO_TEST_CASE(ports_carry_bytes_on_queues_of_their_own) {
  TwoPorts bench;
  bench.hello();
  bench.tell(Event::PortReady, 1, 1);
  bench.tell(Event::PortOpen, 1, 1);
  bench.write("to zero", 0);
  bench.write("to one", 1);
  BOOST_TEST(bench.host.text[0] == "to zero");
  BOOST_TEST(bench.host.text[1] == "to one");
  bench.give(1, 64, 1);
  BOOST_TEST(bench.input("in", 1) == 2U);
  BOOST_TEST(bench.read(1) == "in");
}

BOOST_AUTO_TEST_CASE(one_stalled_port_does_not_stop_another) {
  TwoPorts bench;
  bench.host.allowance = 0;
  bench.write("waits", 0);
  bench.host.allowance = 100;
  bench.write("goes", 1);
  BOOST_TEST(bench.host.text[1] == "goes");
  // And may resume from inside the other's output.
  bench.host.on_output = [&](PortIndex port) {
    if (port == 1) bench.device.resume_output(0);
  };
  bench.write("on", 1);
  BOOST_TEST(bench.host.text[0] == "waits");
  BOOST_TEST(bench.reclaim(0) == 1U);
}

BOOST_AUTO_TEST_CASE(input_waits_until_the_guest_has_opened_the_port) {
  TwoPorts bench;
  bench.hello();
  bench.give(2, 64, 1);
  BOOST_TEST(bench.input("early", 1) == 0U);
  bench.tell(Event::PortReady, 1, 1);
  BOOST_TEST(bench.host.take() == "");
  bench.tell(Event::PortOpen, 1, 1);
  BOOST_TEST(bench.host.take() == "open 1; room 1");
  BOOST_TEST(bench.input("now", 1) == 3U);
}

BOOST_AUTO_TEST_CASE(opening_closing_and_resizing_are_told_to_a_driver_that_has_the_port) {
  TwoPorts bench;
  bench.device.close(1);
  bench.hello();
  bench.tell(Event::PortReady, 1, 0);
  bench.tell(Event::PortReady, 1, 1);
  BOOST_TEST(bench.told() == "ADD 0; ADD 1; CONSOLE 0; OPEN 0=1; NAME 1 org.capsa.log");
  bench.device.open(1);
  bench.device.close(1);
  bench.device.resize(0, 132, 43);
  bench.device.resize(1, 132, 43);  // no terminal
  BOOST_TEST(bench.told() == "OPEN 1=1; OPEN 1=0; SIZE 0 132x43");
  BOOST_TEST(bench.interrupt.changes == 1U);
}

BOOST_AUTO_TEST_CASE(what_waits_for_buffers_is_bounded_and_the_latest_is_told) {
  for (const bool event_idx : {false, true}) {
    TwoPorts bench({.event_idx = event_idx});
    bench.hello(0);
    bench.tell(Event::PortReady, 1, 0);
    for (std::uint16_t i = 0; i < 1000; ++i) {
      bench.device.resize(0, i, i);
      bench.device.close(0);
      bench.device.open(0);
      bench.tell(Event::DeviceReady);
    }
    BOOST_TEST(bench.told() == "");
    bench.give_control(1);
    bench.give_control(1);
    BOOST_TEST(bench.told() == "ADD 0; CONSOLE 0");
    bench.give_control(20);
    BOOST_TEST(bench.told() == "SIZE 0 999x999; OPEN 0=0; OPEN 0=1; ADD 1");
    bench.device.close(0);
    BOOST_TEST(bench.told() == "OPEN 0=0");
  }
}

BOOST_AUTO_TEST_CASE(buffers_too_small_for_a_message_come_back_empty) {
  TwoPorts bench;
  bench.give_control(2, 7);
  bench.give_control(3, 8);
  bench.tell(Event::DeviceReady);
  BOOST_TEST(bench.told() == "useless; useless; ADD 0; ADD 1");
  bench.tell(Event::PortReady, 1, 1);
  BOOST_TEST(bench.told() == "useless");
  bench.give_control(2, 100);
  BOOST_TEST(bench.told() == "NAME 1 org.capsa.log; OPEN 1=1");
}

BOOST_AUTO_TEST_CASE(unknown_ports_events_and_short_messages_are_ignored) {
  TwoPorts bench;
  bench.give_control(16);
  bench.tell(Event::PortReady, 1, 2);
  bench.tell(Event::PortOpen, 1, 0xffff'ffff);
  bench.tell(static_cast<Event>(77), 1, 0);
  bench.tell(Event::PortAdd, 1, 0);
  bench.tell(Event::PortRemove, 1, 0);
  bench.tell(Event::DeviceReady, 0);
  bench.driver.send_to(bench.device, ConsoleDevice::kControlTransmit, {Bytes(7)});
  bench.driver.send_to(bench.device, ConsoleDevice::kControlTransmit, {{}});
  bench.driver.send_to(bench.device, ConsoleDevice::kControlTransmit, {}, {64});
  BOOST_TEST(bench.driver.used_pending(ConsoleDevice::kControlTransmit) == 3U);
  BOOST_TEST(bench.told() == "");
  BOOST_TEST(bench.host.take() == "");
}

BOOST_AUTO_TEST_CASE(a_driver_that_failed_to_add_a_port_hears_no_more_of_it) {
  TwoPorts bench;
  bench.hello();
  bench.tell(Event::PortReady, 1, 1);
  bench.tell(Event::PortReady, 0, 1);
  bench.told();
  bench.device.close(1);
  BOOST_TEST(bench.told() == "");
}

BOOST_AUTO_TEST_CASE(a_message_may_lie_in_pieces) {
  TwoPorts bench;
  bench.hello();
  const auto raw = encode({1, Event::PortOpen, 1});
  bench.driver.send_to(bench.device, ConsoleDevice::kControlTransmit,
                       {Bytes(raw.begin(), raw.begin() + 3), Bytes(raw.begin() + 3, raw.end())});
  BOOST_TEST(bench.host.take() == "open 1");
}

BOOST_AUTO_TEST_CASE(a_driver_without_multiport_has_port_0_only) {
  Bench bench({PortSpec{}, {"log", false}});
  bench.boot(kFeatureSize);
  BOOST_TEST(bench.host.take() == "open 0");
  bench.tell(Event::DeviceReady);
  BOOST_TEST(bench.driver.used_pending(ConsoleDevice::kControlTransmit) == 0U);
  bench.write("zero", 0);
  bench.write("one", 1);
  BOOST_TEST(bench.host.text[0] == "zero");
  BOOST_TEST(bench.host.text[1] == "");
  BOOST_TEST(bench.input("x", 1) == 0U);
}

BOOST_AUTO_TEST_CASE(a_driver_with_multiport_and_two_queues_is_served_as_if_without) {
  Bench bench({PortSpec{}, {"log", false}});
  bench.driver.activate(bench.device, kFeatureMultiport, 2);
  for (QueueIndex queue = 0; queue < 8; ++queue)
    bench.device.process(queue);
  BOOST_TEST(bench.host.take() == "open 0");
  bench.write("zero", 0);
  BOOST_TEST(bench.host.text[0] == "zero");
}

BOOST_AUTO_TEST_CASE(a_suspended_driver_hears_the_news_later_and_a_reset_one_never) {
  TwoPorts bench;
  bench.hello();
  bench.tell(Event::PortReady, 1, 1);
  bench.tell(Event::PortOpen, 1, 1);
  bench.told();
  bench.host.take();
  bench.device.suspend([] {});
  bench.device.close(1);
  bench.boot(kFeatureMultiport);
  BOOST_TEST(bench.told() == "OPEN 1=0");
  BOOST_TEST(bench.host.take() == "");
  bench.device.reset([] {});
  BOOST_TEST(bench.host.take() == "closed 1");
  bench.device.open(1);
  bench.boot(kFeatureMultiport);
  BOOST_TEST(bench.told() == "");
  bench.hello(4);
  BOOST_TEST(bench.told() == "ADD 0; ADD 1");
}

BOOST_AUTO_TEST_CASE(a_guest_that_never_stops_talking_gets_one_rings_worth_a_turn) {
  TwoPorts bench;
  const auto raw = encode({1, Event::PortOpen, 1});
  const auto queue = ConsoleDevice::kControlTransmit;
  for (int i = 0; i < 32; ++i)
    bench.driver.add(queue, {Bytes(raw.begin(), raw.end())}, {});
  bench.driver.publish(queue);
  bench.device.process(queue);
  BOOST_TEST(bench.driver.used_pending(queue) == 32U);
  BOOST_TEST(bench.host.later == 1U);
  bench.device.process_more();
  BOOST_TEST(bench.host.later == 1U);
  while (bench.driver.pop_used(queue)) {
  }
  bench.tell(Event::PortOpen, 0, 1);
  BOOST_TEST(bench.host.take() == "open 1; closed 1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::console::test
