#include <backends/virtio/vsock/device.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/unit/vsock/fake_guest.hpp>

namespace capsa::vsock::test {

BOOST_AUTO_TEST_SUITE(vsock_device_transmit)

BOOST_AUTO_TEST_CASE(data_is_cut_to_the_buffers_the_guest_gives) {
  Bench bench;
  const auto key = bench.open();
  const auto bytes = pattern(10'000);
  BOOST_TEST(bench.device.send(key, bytes) == bytes.size());
  BOOST_TEST(bench.guest.take() == "RW 1024:5000 4096; RW 1024:5000 4096; RW 1024:5000 1808");
}

BOOST_AUTO_TEST_CASE(a_buffer_may_be_in_pieces_that_cut_header_and_payload_anywhere) {
  for (std::size_t cut = 1; cut < 100; ++cut) {
    Bench bench({}, 0);
    bench.guest.give(2, {cut, 100 - cut});
    const auto key = bench.open();
    BOOST_TEST(bench.device.send(key, pattern(56)) == 56U);
    const auto packet = bench.guest.next();
    BOOST_REQUIRE(packet.has_value());
    BOOST_TEST((packet->header.op == Op::ReadWrite));
    BOOST_TEST((packet->payload == pattern(56)));
  }
}

BOOST_AUTO_TEST_CASE(buffers_too_small_for_a_header_and_a_byte_are_given_back_empty) {
  Bench bench({}, 0);
  bench.guest.give(3, {10});
  bench.guest.give(1, {kHeaderSize});
  bench.guest.give(1, {kHeaderSize + 1});
  bench.guest.send({1024, 5000}, Op::Request);
  BOOST_TEST(bench.device.stats().useless_buffers == 4U);
  const auto packets = bench.guest.all();
  BOOST_REQUIRE(packets.size() == 5U);
  BOOST_TEST((packets[4].header.op == Op::Response));
}

BOOST_AUTO_TEST_CASE(a_ring_of_useless_buffers_ends_the_attempt) {
  Bench bench({}, 0);
  bench.open();
  bench.guest.give(200, {1});
  BOOST_TEST(bench.device.stats().useless_buffers == 200U);
  bench.guest.give(1);
  BOOST_TEST(bench.guest.all().back().header.dst_port == 5000U);
}

BOOST_AUTO_TEST_CASE(without_rx_buffers_data_waits_bounded_and_then_goes_out_in_order) {
  for (const bool event_idx : {false, true}) {
    Bench bench({}, 1, 3, {.event_idx = event_idx});
    const auto key = bench.open();
    const auto bytes = pattern(200'000);
    std::size_t taken = bench.device.send(key, bytes);
    BOOST_TEST(taken == 64U * 1024);
    BOOST_TEST(bench.device.send(key, bytes) == 0U);
    bench.host.on_writable = [&](ConnectionKey at, std::size_t room) {
      BOOST_TEST(room >= 32U * 1024);
      const auto rest = std::span<const std::byte>(bytes).subspan(taken);
      const auto count = bench.device.send(at, rest);
      BOOST_TEST(count >= std::min(room, rest.size()));
      taken += count;
    };
    Bytes got;
    for (int i = 0; i < 1000 && got.size() < bytes.size(); ++i) {
      bench.guest.give(1);
      for (const auto& packet : bench.guest.all())
        got.insert(got.end(), packet.payload.begin(), packet.payload.end());
    }
    BOOST_TEST((got == bytes));
  }
}

BOOST_AUTO_TEST_CASE(writable_follows_credit_even_where_it_is_used_up_inside_a_callback) {
  Bench bench;
  const auto key = bench.open(1024, 5000, 1000);
  bench.device.send(key, pattern(1000));
  BOOST_TEST(bench.device.send(key, pattern(70'000)) == 64U * 1024);
  bench.guest.all();
  // Data and credit come in one packet; consuming it writes the whole queue before we are asked.
  Header header = FakeGuest::header(key, Op::ReadWrite);
  header.len = 1;
  header.fwd_cnt = 1000;
  bench.guest.send(header, to_bytes("x"));
  BOOST_TEST(bench.host.take() == "writable 65536 1024:5000");
}

BOOST_AUTO_TEST_CASE(small_writes_that_wait_go_out_as_one_packet) {
  Bench bench({}, 1);
  const auto key = bench.open();
  for (int i = 0; i < 40; ++i)
    BOOST_TEST(bench.device.send(key, pattern(10, static_cast<std::uint64_t>(i) * 10)) == 10U);
  bench.guest.give(4);
  const auto packets = bench.guest.all();
  BOOST_REQUIRE(packets.size() == 1U);
  BOOST_TEST((packets[0].payload == pattern(400)));
}

BOOST_AUTO_TEST_CASE(connections_take_turns_for_scarce_buffers) {
  Bench bench({}, 0);
  for (std::uint32_t port = 1; port <= 3; ++port)
    bench.guest.send({1, port}, Op::Request);
  bench.guest.give(3);
  bench.guest.take();
  bench.device.send(ConnectionKey{1, 1}, pattern(60'000));
  bench.device.send(ConnectionKey{1, 2}, pattern(60'000));
  bench.device.send(ConnectionKey{1, 3}, pattern(5000));
  bench.guest.give(8);
  BOOST_TEST(bench.guest.take() ==
             "RW 1:1 4096; RW 1:2 4096; RW 1:3 4096; RW 1:1 4096; RW 1:2 4096; RW 1:3 904; "
             "RW 1:1 4096; RW 1:2 4096");
  // Somebody who comes later does not overtake those that wait.
  bench.device.send(ConnectionKey{1, 3}, pattern(1));
  bench.guest.give(4);
  BOOST_TEST(bench.guest.take() == "RW 1:1 4096; RW 1:2 4096; RW 1:3 1; RW 1:1 4096");
}

BOOST_AUTO_TEST_CASE(resets_go_before_data) {
  Bench bench({}, 1);
  const auto key = bench.open();
  bench.device.send(key, pattern(10));
  bench.guest.send({9, 9}, Op::CreditUpdate);
  bench.guest.give(2);
  BOOST_TEST(bench.guest.take() == "RST 9:9; RW 1024:5000 10");
}

BOOST_AUTO_TEST_CASE(the_guest_is_interrupted_once_for_a_batch) {
  Bench bench;
  const auto key = bench.open();
  auto& interrupt = bench.guest.driver.interrupt();
  interrupt.take(VsockDevice::kReceiveQueue);
  bench.device.send(key, pattern(20'000));
  BOOST_TEST(interrupt.take(VsockDevice::kReceiveQueue) == 1U);
  bench.guest.all();
  {
    const VsockDevice::Batch batch(bench.device);
    for (int i = 0; i < 10; ++i)
      bench.device.send(key, pattern(100));
    BOOST_TEST(interrupt.count(VsockDevice::kReceiveQueue) == 0U);
  }
  BOOST_TEST(interrupt.take(VsockDevice::kReceiveQueue) == 1U);
}

BOOST_AUTO_TEST_CASE(the_guest_is_interrupted_once_for_everything_it_sent) {
  Bench bench;
  auto& driver = bench.guest.driver;
  driver.interrupt().take(VsockDevice::kReceiveQueue);
  driver.interrupt().take(VsockDevice::kTransmitQueue);
  for (std::uint32_t port = 1; port <= 10; ++port) {
    const auto raw = encode(FakeGuest::header({1, port}, Op::Request));
    driver.add(VsockDevice::kTransmitQueue, {Bytes(raw.begin(), raw.end())}, {});
  }
  driver.publish(VsockDevice::kTransmitQueue);
  bench.device.process(VsockDevice::kTransmitQueue);
  BOOST_TEST(driver.interrupt().take(VsockDevice::kReceiveQueue) == 1U);
  BOOST_TEST(driver.interrupt().take(VsockDevice::kTransmitQueue) == 1U);
  BOOST_TEST(bench.guest.all().size() == 10U);
}

BOOST_AUTO_TEST_CASE(a_credit_update_that_finds_no_buffer_comes_later) {
  Bench bench({}, 1);
  bench.host.auto_consume = false;
  const auto key = bench.open();
  bench.guest.send_data(key, pattern(256 * 1024));
  bench.device.consumed(key, 256 * 1024);
  BOOST_TEST(bench.guest.take() == "");
  bench.guest.give(2);
  const auto packets = bench.guest.all();
  BOOST_REQUIRE(packets.size() == 1U);
  BOOST_TEST((packets[0].header.op == Op::CreditUpdate));
  BOOST_TEST(packets[0].header.fwd_cnt == 256U * 1024);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::vsock::test
