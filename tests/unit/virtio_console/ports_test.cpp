#include <boost/test/unit_test.hpp>
#include <tests/unit/virtio_console/bench.hpp>

namespace capsa::virtio::console::test {

BOOST_AUTO_TEST_SUITE(virtio_console_ports)

BOOST_AUTO_TEST_CASE(output_reaches_the_host_in_order_and_the_chains_come_back) {
  for (const bool event_idx : {false, true}) {
    for (const bool indirect : {false, true}) {
      Bench bench({PortSpec{}}, {.event_idx = event_idx, .indirect = indirect});
      bench.boot();
      std::string expected;
      for (int i = 0; i < 500; ++i) {
        bench.write("line " + std::to_string(i) + "\n");
        expected += "line " + std::to_string(i) + "\n";
        BOOST_TEST(bench.reclaim() == 1U);
      }
      BOOST_TEST(bench.host.text[0] == expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(output_that_was_there_before_activation_is_not_lost) {
  Bench bench;
  bench.driver.send(1, {to_bytes("early")});
  bench.boot();
  BOOST_TEST(bench.host.text[0] == "early");
}

BOOST_AUTO_TEST_CASE(a_chain_in_pieces_is_one_output_and_empty_ones_are_none) {
  Bench bench;
  bench.boot();
  bench.driver.send_to(bench.device, 1, {to_bytes("ab"), {}, to_bytes("cd")});
  bench.driver.send_to(bench.device, 1, {{}});
  BOOST_TEST(bench.host.text[0] == "abcd");
  BOOST_TEST(bench.host.calls == 1U);
  BOOST_TEST(bench.reclaim() == 2U);
}

BOOST_AUTO_TEST_CASE(writable_buffers_in_the_output_ring_come_back_empty) {
  Bench bench;
  bench.boot();
  bench.driver.send_to(bench.device, 1, {}, {100});
  bench.driver.send_to(bench.device, 1, {to_bytes("x")}, {100});
  BOOST_TEST(bench.driver.pop_used(1)->written == 0U);
  BOOST_TEST(bench.driver.pop_used(1)->written == 0U);
  BOOST_TEST(bench.host.text[0] == "x");
}

BOOST_AUTO_TEST_CASE(what_the_host_does_not_take_stays_in_the_ring_until_it_resumes) {
  for (const bool event_idx : {false, true}) {
    Bench bench({PortSpec{}}, {.event_idx = event_idx});
    bench.boot();
    bench.host.allowance = 5;
    bench.write("0123456789");
    bench.write("abc");
    BOOST_TEST(bench.host.text[0] == "01234");
    BOOST_TEST(bench.reclaim() == 0U);
    bench.host.allowance = 2;
    BOOST_TEST(bench.host.calls == 1U);
    bench.device.process(1);
    BOOST_TEST(bench.host.calls == 1U);
    bench.device.resume_output(0);
    BOOST_TEST(bench.host.text[0] == "0123456");
    BOOST_TEST(bench.reclaim() == 0U);
    bench.host.allowance = 1000;
    bench.device.resume_output(0);
    BOOST_TEST(bench.host.text[0] == "0123456789abc");
    BOOST_TEST(bench.reclaim() == 2U);
    // And kicks are asked for again.
    bench.write("z");
    BOOST_TEST(bench.host.text[0] == "0123456789abcz");
    const auto calls = bench.host.calls;
    bench.device.resume_output(0);
    BOOST_TEST(bench.host.calls == calls);
  }
}

BOOST_AUTO_TEST_CASE(a_suspended_device_knows_how_far_the_host_had_got) {
  Bench bench;
  bench.boot();
  bench.host.allowance = 5;
  bench.write("0123456789");
  bench.device.suspend([] {});
  bench.host.allowance = 1000;
  bench.device.resume_output(0);
  BOOST_TEST(bench.host.text[0] == "01234");
  bench.boot();
  BOOST_TEST(bench.host.text[0] == "0123456789");
  BOOST_TEST(bench.reclaim() == 1U);
}

BOOST_AUTO_TEST_CASE(a_reset_device_begins_the_next_drivers_output_at_its_beginning) {
  Bench bench;
  bench.boot();
  bench.host.allowance = 5;
  bench.write("0123456789");
  bench.device.reset([] {});
  bench.host.allowance = 1000;
  bench.boot();
  // Still what the host said.
  BOOST_TEST(bench.host.text[0] == "01234");
  bench.device.resume_output(0);
  BOOST_TEST(bench.host.text[0] == "012340123456789");
}

BOOST_AUTO_TEST_CASE(a_chain_that_shrank_while_it_waited_does_no_harm) {
  Bench bench;
  bench.boot();
  bench.host.allowance = 5;
  bench.write("0123456789");
  auto descriptor = bench.driver.raw_descriptor(1, 0);
  descriptor.length = 2;
  bench.driver.raw_descriptor(1, 0, descriptor);
  bench.host.allowance = 1000;
  bench.device.resume_output(0);
  BOOST_TEST(bench.host.text[0] == "01234");
  bench.write("next");
  BOOST_TEST(bench.host.text[0] == "01234next");
}

BOOST_AUTO_TEST_CASE(a_closed_port_drops_output_also_what_waited) {
  Bench bench;
  bench.boot();
  bench.host.allowance = 5;
  bench.write("0123456789");
  bench.device.close(0);
  BOOST_TEST(bench.reclaim() == 1U);
  bench.host.allowance = 1000;
  bench.write("dropped");
  bench.device.write_config(8, Bytes{std::byte{'d'}});
  BOOST_TEST(bench.reclaim() == 1U);
  bench.device.open(0);
  bench.write("kept");
  BOOST_TEST(bench.host.text[0] == "01234kept");
}

BOOST_AUTO_TEST_CASE(a_host_may_close_a_port_from_inside_its_output) {
  Bench bench;
  bench.boot();
  bench.host.allowance = 3;
  bench.host.on_output = [&](PortIndex port) { bench.device.close(port); };
  bench.write("0123456789");
  BOOST_TEST(bench.reclaim() == 1U);
  BOOST_TEST(bench.host.text[0] == "012");
  bench.write("x");
  BOOST_TEST(bench.host.calls == 1U);
  BOOST_TEST(bench.reclaim() == 1U);
}

BOOST_AUTO_TEST_CASE(a_host_may_send_input_from_inside_its_output) {
  Bench bench;
  bench.boot();
  bench.give(4, 64);
  bench.host.on_output = [&](PortIndex port) { bench.device.input(port, to_bytes("echo")); };
  bench.write("a");
  bench.write("b");
  BOOST_TEST(bench.read() == "echo|echo");
}

BOOST_AUTO_TEST_CASE(a_huge_chain_is_handed_over_in_turns) {
  Bench bench({PortSpec{}}, {.memory_mib = 16});
  bench.boot();
  const std::size_t megabyte = 1024 * 1024;
  bench.driver.send(1, {Bytes(5 * megabyte, std::byte{'x'}), Bytes(100, std::byte{'y'})});
  bench.device.process(1);
  BOOST_TEST(bench.host.text[0].size() == megabyte);
  BOOST_TEST(bench.host.largest <= 64U * 1024);
  BOOST_TEST(bench.host.later == 1U);
  for (unsigned turn = 1; turn <= 10 && bench.driver.used_pending(1) == 0; ++turn) {
    BOOST_TEST(bench.host.later == turn);
    bench.device.process_more();
  }
  BOOST_TEST(bench.reclaim() == 1U);
  BOOST_TEST(bench.host.text[0].size() == 5 * megabyte + 100);
  BOOST_TEST(bench.host.text[0].back() == 'y');
  const auto later = bench.host.later;
  bench.device.process_more();
  BOOST_TEST(bench.host.later == later);
}

BOOST_AUTO_TEST_CASE(a_guest_that_refills_its_ring_as_it_is_drained_gets_one_rings_worth) {
  Bench bench;
  bench.boot();
  bench.host.on_output = [&](PortIndex) {
    bench.reclaim();
    bench.driver.send(1, {to_bytes("x")});
  };
  bench.driver.send_to(bench.device, 1, {to_bytes("x")});
  BOOST_TEST(bench.host.calls == 128U);
  BOOST_TEST(bench.host.later == 1U);
  bench.host.on_output = nullptr;
  bench.device.process_more();
  BOOST_TEST(bench.host.calls == 129U);
}

BOOST_AUTO_TEST_CASE(input_fills_the_buffers_and_says_what_fitted) {
  for (const bool event_idx : {false, true}) {
    Bench bench({PortSpec{}}, {.event_idx = event_idx});
    BOOST_TEST(bench.input("too early") == 0U);
    bench.boot();
    bench.give(2, 4);
    BOOST_TEST(bench.host.take() == "open 0; room 0");
    BOOST_TEST(bench.input("0123456789") == 8U);
    BOOST_TEST(bench.read() == "0123|4567");
    bench.host.on_room = [&](PortIndex) { BOOST_TEST(bench.input("89") == 2U); };
    bench.give(1, 4);
    BOOST_TEST(bench.host.take() == "room 0");
    BOOST_TEST(bench.read() == "89");
    // All fitted, so more room is no news, and no reason for kicks.
    bench.give(5, 4);
    BOOST_TEST(bench.host.take() == "");
  }
}

BOOST_AUTO_TEST_CASE(buffers_cost_no_kicks_while_nobody_waits_for_them) {
  Bench bench({PortSpec{}}, {.event_idx = false});
  bench.boot();
  bench.driver.add(0, {}, {64});
  BOOST_TEST(!bench.driver.publish(0));
  BOOST_TEST(bench.input("x") == 1U);
  BOOST_TEST(bench.input("y") == 0U);
  bench.driver.add(0, {}, {64});
  BOOST_TEST(bench.driver.publish(0));
}

BOOST_AUTO_TEST_CASE(buffers_of_no_use_come_back_and_are_no_room) {
  Bench bench;
  bench.boot();
  bench.host.take();
  BOOST_TEST(bench.input("x") == 0U);
  bench.driver.send_to(bench.device, 0, {to_bytes("readable")});
  bench.driver.send_to(bench.device, 0, {}, {0});
  BOOST_TEST(bench.host.take() == "");
  BOOST_TEST(bench.driver.pop_used(0)->written == 0U);
  BOOST_TEST(bench.driver.pop_used(0)->written == 0U);
  bench.give(1, 1);
  BOOST_TEST(bench.host.take() == "room 0");
  BOOST_TEST(bench.input("x") == 1U);
}

BOOST_AUTO_TEST_CASE(the_guest_is_interrupted_once_for_a_batch_of_input) {
  Bench bench;
  bench.boot();
  bench.give(10, 4);
  bench.driver.interrupt().take(0);
  BOOST_TEST(bench.input("0123456789abcdef") == 16U);
  BOOST_TEST(bench.driver.interrupt().take(0) == 1U);
}

BOOST_AUTO_TEST_CASE(a_broken_ring_ends_its_direction_and_no_other) {
  Bench bench;
  bench.boot();
  bench.give(1, 64);
  bench.driver.raw_add(1, 5000);
  bench.driver.publish(1);
  bench.device.process(1);
  BOOST_TEST(bench.driver.queue(1).broken());
  bench.device.process(1);
  BOOST_TEST(bench.input("still") == 5U);
  BOOST_TEST(bench.read() == "still");
  bench.device.reset([] {});
  BOOST_TEST(bench.input("gone") == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::console::test
