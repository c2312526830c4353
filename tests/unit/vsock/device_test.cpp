#include <backends/virtio/vsock/device.hpp>
#include <boost/test/unit_test.hpp>
#include <set>
#include <tests/unit/vsock/fake_guest.hpp>

namespace capsa::vsock::test {

BOOST_AUTO_TEST_SUITE(vsock_device)

BOOST_AUTO_TEST_CASE(it_is_a_socket_device_with_three_queues_of_which_two_are_required) {
  RecordingHost host;
  const VsockDevice device(kGuestCid, host);
  const auto identity = device.identity();
  BOOST_TEST(identity.type == 19U);
  BOOST_TEST(identity.queue_sizes.size() == 3U);
  BOOST_TEST(identity.required_queues == 2U);
  BOOST_TEST((identity.features & virtio::kFeatureVersion1) != 0U);
}

BOOST_AUTO_TEST_CASE(configuration_space_is_the_guests_cid_and_zeros_behind_it) {
  RecordingHost host;
  VsockDevice device(0x0000'0001'0403'0201, host);
  const std::array<std::byte, 8> cid{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                                     std::byte{1}, std::byte{0}, std::byte{0}, std::byte{0}};
  for (std::size_t offset = 0; offset < 20; ++offset) {
    for (std::size_t size = 0; size < 20; ++size) {
      Bytes out(size, std::byte{0xff});
      device.read_config(offset, out);
      for (std::size_t i = 0; i < size; ++i) {
        const auto expected = offset + i < cid.size() ? cid[offset + i] : std::byte{0};
        BOOST_REQUIRE((out[i] == expected));
      }
    }
  }
  std::array<std::byte, 1> out;
  device.write_config(0, cid);
  device.read_config(std::numeric_limits<std::size_t>::max(), out);
  BOOST_TEST((out[0] == std::byte{0}));
}

BOOST_AUTO_TEST_CASE(a_device_without_its_required_queues_stays_inactive) {
  RecordingHost host;
  VsockDevice device(kGuestCid, host);
  FakeDriver driver(device.identity());
  driver.activate(device, 0, 1);
  BOOST_TEST(!device.active());
  device.process(0);
  device.process(1);
}

BOOST_AUTO_TEST_CASE(the_guest_connects_and_both_talk) {
  Bench bench;
  const ConnectionKey key{1024, 5000};
  bench.guest.send(key, Op::Request);
  BOOST_TEST(bench.host.take() == "accept 1024:5000");
  const auto response = bench.guest.next();
  BOOST_REQUIRE(response.has_value());
  Header expected;
  expected.src_cid = kHostCid;
  expected.dst_cid = kGuestCid;
  expected.src_port = 1024;
  expected.dst_port = 5000;
  expected.op = Op::Response;
  expected.buf_alloc = 256 * 1024;
  BOOST_TEST((response->header == expected));

  bench.guest.send_data(key, to_bytes("hello"));
  BOOST_TEST(to_text(bench.host.received[key]) == "hello");
  BOOST_TEST(bench.device.send(key, to_bytes("world")) == 5U);
  const auto answer = bench.guest.next();
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST((answer->header.op == Op::ReadWrite));
  BOOST_TEST(answer->header.fwd_cnt == 5U);
  BOOST_TEST(to_text(answer->payload) == "world");
}

BOOST_AUTO_TEST_CASE(the_host_connects_from_a_port_of_its_own) {
  Bench bench;
  const auto key = bench.device.connect(52);
  BOOST_REQUIRE(key.ok());
  BOOST_TEST(key->host_port >= VsockDevice::kFirstEphemeralPort);
  BOOST_TEST(key->guest_port == 52U);
  BOOST_TEST(bench.guest.take() == "REQUEST " + std::to_string(key->host_port) + ":52");
  BOOST_TEST(bench.device.send(*key, to_bytes("early")) == 0U);
  bench.guest.send(*key, Op::Response);
  BOOST_TEST(bench.host.take() == "connected " + std::to_string(key->host_port) + ":52");
  BOOST_TEST(bench.device.send(*key, to_bytes("now")) == 3U);
}

BOOST_AUTO_TEST_CASE(a_guest_port_where_nobody_listens_refuses) {
  Bench bench;
  const auto key = bench.device.connect(52);
  bench.guest.take();
  bench.guest.send(*key, Op::Reset);
  BOOST_TEST(bench.host.take() == "closed refused " + std::to_string(key->host_port) + ":52");
  BOOST_TEST(bench.device.connections() == 0U);
  BOOST_TEST(bench.guest.take() == "");
}

BOOST_AUTO_TEST_CASE(a_host_port_where_nobody_listens_is_answered_by_a_reset) {
  Bench bench;
  bench.host.accepts = false;
  bench.guest.send({1024, 5000}, Op::Request);
  BOOST_TEST(bench.guest.take() == "RST 1024:5000");
  BOOST_TEST(bench.device.connections() == 0U);
}

BOOST_AUTO_TEST_CASE(connecting_before_the_driver_is_ready_is_refused) {
  RecordingHost host;
  VsockDevice device(kGuestCid, host);
  const auto key = device.connect(52);
  BOOST_REQUIRE(!key.ok());
  BOOST_TEST((key.error().code() == ErrorCode::NotRunning));
}

BOOST_AUTO_TEST_CASE(two_hundred_connections_share_one_port) {
  Bench bench;
  constexpr std::uint32_t kCount = 200;
  for (std::uint32_t port = 0; port < kCount; ++port) {
    bench.guest.send({1024, port}, Op::Request);
    BOOST_TEST(bench.guest.all().size() == 1U);
    bench.guest.give(1);
  }
  BOOST_TEST(bench.device.connections() == kCount);
  for (std::uint32_t port = 0; port < kCount; ++port)
    bench.guest.send_data({1024, port}, to_bytes("guest " + std::to_string(port)));
  for (std::uint32_t port = 0; port < kCount; ++port) {
    BOOST_TEST(to_text(bench.host.received[{1024, port}]) == "guest " + std::to_string(port));
    const auto text = to_bytes("host " + std::to_string(port));
    BOOST_TEST(bench.device.send({1024, port}, text) == text.size());
    const auto packet = bench.guest.next();
    BOOST_REQUIRE(packet.has_value());
    BOOST_TEST(packet->header.dst_port == port);
    BOOST_TEST((packet->payload == text));
    bench.guest.give(1);
  }
}

BOOST_AUTO_TEST_CASE(many_connections_to_one_guest_port_each_have_a_host_port) {
  Bench bench;
  std::set<std::uint32_t> ports;
  for (int i = 0; i < 200; ++i)
    ports.insert(bench.device.connect(52)->host_port);
  BOOST_TEST(ports.size() == 200U);
}

BOOST_AUTO_TEST_CASE(beyond_the_limit_neither_side_connects) {
  Bench bench({.max_connections = 2});
  bench.open(1, 1);
  bench.open(1, 2);
  bench.guest.send({1, 3}, Op::Request);
  BOOST_TEST(bench.guest.take() == "RST 1:3");
  BOOST_TEST(bench.host.take() == "");
  const auto key = bench.device.connect(52);
  BOOST_REQUIRE(!key.ok());
  BOOST_TEST((key.error().code() == ErrorCode::ResourceExhausted));
  bench.device.reset(ConnectionKey{1, 1});
  BOOST_TEST(bench.device.connect(52).ok());
}

BOOST_AUTO_TEST_CASE(the_guest_ends_sending_and_still_receives) {
  Bench bench;
  const auto key = bench.open();
  bench.guest.send_data(key, to_bytes("last words"));
  Header half = FakeGuest::header(key, Op::Shutdown);
  half.flags = kShutdownSend;
  bench.guest.send(half);
  BOOST_TEST(bench.host.take() == "shutdown -s 1024:5000");
  BOOST_TEST(to_text(bench.host.received[key]) == "last words");
  BOOST_TEST(bench.device.send(key, to_bytes("answer")) == 6U);
  BOOST_TEST(!bench.device.shutdown(key, false, true));
  BOOST_TEST(bench.guest.take() == "RW 1024:5000 6; SHUTDOWN 1024:5000 2");
  half.flags = kShutdownBoth;
  bench.guest.send(half);
  BOOST_TEST(bench.host.take() == "closed peer_closed 1024:5000");
  BOOST_TEST(bench.guest.take() == "RST 1024:5000");
}

BOOST_AUTO_TEST_CASE(the_guest_ends_receiving_and_still_sends) {
  Bench bench;
  const auto key = bench.open();
  Header half = FakeGuest::header(key, Op::Shutdown);
  half.flags = kShutdownReceive;
  bench.guest.send(half);
  BOOST_TEST(bench.host.take() == "shutdown r- 1024:5000");
  BOOST_TEST(bench.device.send(key, to_bytes("x")) == 0U);
  bench.guest.send_data(key, to_bytes("still here"));
  BOOST_TEST(to_text(bench.host.received[key]) == "still here");
}

BOOST_AUTO_TEST_CASE(the_host_ends_sending_and_still_receives) {
  Bench bench;
  const auto key = bench.open();
  BOOST_TEST(!bench.device.shutdown(key, false, true));
  BOOST_TEST(bench.guest.take() == "SHUTDOWN 1024:5000 2");
  BOOST_TEST(bench.device.send(key, to_bytes("x")) == 0U);
  bench.guest.send_data(key, to_bytes("reply"));
  BOOST_TEST(to_text(bench.host.received[key]) == "reply");
  // The second half ends it, and the guest sees both flags.
  BOOST_TEST(bench.device.shutdown(key, true, false));
  BOOST_TEST(bench.guest.take() == "SHUTDOWN 1024:5000 3");
  BOOST_TEST(bench.device.connections() == 0U);
  bench.guest.send(key, Op::Reset);
  BOOST_TEST(bench.host.take() == "");
  BOOST_TEST(bench.guest.take() == "");
}

BOOST_AUTO_TEST_CASE(a_graceful_close_waits_for_what_is_queued_and_then_forgets) {
  Bench bench;
  const auto key = bench.open(1024, 5000, 1000);
  const auto bytes = pattern(1500);
  BOOST_TEST(bench.device.send(key, bytes) == bytes.size());
  BOOST_TEST(!bench.device.shutdown(key, true, true));
  BOOST_TEST(bench.guest.take() == "RW 1024:5000 1000; CREDIT? 1024:5000; SHUTDOWN 1024:5000 1");
  Header update = FakeGuest::header(key, Op::CreditUpdate);
  update.buf_alloc = 1000;
  update.fwd_cnt = 1000;
  bench.guest.send(update);
  BOOST_TEST(bench.guest.take() == "RW 1024:5000 500; SHUTDOWN 1024:5000 3");
  BOOST_TEST(bench.host.take() == "closed finished 1024:5000");
  // What the guest still sends is answered by a reset, and its own reset is the end.
  bench.guest.send(update);
  BOOST_TEST(bench.guest.take() == "RST 1024:5000");
  bench.guest.send(key, Op::Reset);
  BOOST_TEST(bench.guest.take() == "");
}

BOOST_AUTO_TEST_CASE(closing_before_the_guest_answered_takes_the_request_back) {
  Bench bench;
  const auto key = bench.device.connect(52);
  bench.guest.take();
  BOOST_TEST(bench.device.shutdown(*key, true, true));
  BOOST_TEST(bench.guest.take() == "RST " + std::to_string(key->host_port) + ":52");
  bench.guest.send(*key, Op::Response);
  BOOST_TEST(bench.host.take() == "");
  BOOST_TEST(bench.guest.take() == "RST " + std::to_string(key->host_port) + ":52");
}

BOOST_AUTO_TEST_CASE(a_request_that_was_never_written_is_taken_back_silently) {
  Bench bench({}, 0);
  const auto key = bench.device.connect(52);
  bench.device.reset(*key);
  bench.guest.give(4);
  BOOST_TEST(bench.guest.take() == "");
}

BOOST_AUTO_TEST_CASE(either_side_resets_with_data_in_flight) {
  Bench bench;
  auto key = bench.open(1024, 5000, 10);
  bench.device.send(key, pattern(100));
  bench.guest.send(key, Op::Reset);
  BOOST_TEST(bench.host.take() == "closed peer_reset 1024:5000");
  BOOST_TEST(bench.guest.take() == "RW 1024:5000 10; CREDIT? 1024:5000");

  key = bench.open(1024, 5001, 10);
  bench.device.send(key, pattern(100));
  bench.device.reset(key);
  BOOST_TEST(bench.guest.take() == "RW 1024:5001 10; CREDIT? 1024:5001; RST 1024:5001");
  bench.guest.send_data(key, to_bytes("late"));
  BOOST_TEST(bench.guest.take() == "RST 1024:5001");
  BOOST_TEST(bench.host.received[key].empty());
}

BOOST_AUTO_TEST_CASE(what_a_host_does_to_unknown_keys_does_nothing) {
  Bench bench;
  const ConnectionKey nobody{9, 9};
  BOOST_TEST(bench.device.send(nobody, to_bytes("x")) == 0U);
  bench.device.consumed(nobody, 5);
  BOOST_TEST(bench.device.shutdown(nobody, true, true));
  bench.device.reset(nobody);
  BOOST_TEST(bench.guest.take() == "");
}

BOOST_AUTO_TEST_CASE(a_rebooting_guest_closes_everything_and_starts_anew) {
  Bench bench;
  const auto key = bench.open();
  bench.device.send(key, to_bytes("x"));
  int during = 0;
  bench.host.on_closed = [&](ConnectionKey closed) {
    ++during;
    BOOST_TEST(bench.device.send(closed, to_bytes("x")) == 0U);
    BOOST_TEST(!bench.device.connect(52).ok());
    bench.device.reset(closed);
  };
  bool done = false;
  bench.device.reset([&] { done = true; });
  BOOST_TEST(done);
  BOOST_TEST(during == 1);
  BOOST_TEST(bench.host.take() == "closed device_reset 1024:5000");
  BOOST_TEST(!bench.device.active());
  bench.device.process(1);

  bench.host.on_closed = {};
  FakeGuest rebooted(bench.device);
  rebooted.boot();
  rebooted.send(key, Op::Request);
  BOOST_TEST(rebooted.take() == "RESPONSE 1024:5000");
}

BOOST_AUTO_TEST_CASE(a_connection_reset_while_another_is_reported_closed_is_not_reported_itself) {
  Bench bench;
  bench.open(1, 1);
  bench.open(1, 2);
  bench.open(1, 3);
  bench.host.on_closed = [&](ConnectionKey) {
    bench.device.reset(ConnectionKey{1, 2});
    BOOST_TEST(bench.device.shutdown(ConnectionKey{1, 3}, true, true));
  };
  bench.device.reset([] {});
  BOOST_TEST(bench.host.take() == "closed device_reset 1:1");
}

BOOST_AUTO_TEST_CASE(a_transport_reset_is_told_by_an_event) {
  Bench bench;
  bench.open();
  bench.guest.driver.send_to(bench.device, VsockDevice::kEventQueue, {}, {8});
  bench.guest.driver.interrupt().take(VsockDevice::kEventQueue);
  bench.device.transport_reset();
  BOOST_TEST(bench.host.take() == "closed device_reset 1024:5000");
  const auto event = bench.guest.driver.pop_used(VsockDevice::kEventQueue);
  BOOST_REQUIRE(event.has_value());
  BOOST_TEST((event->data == Bytes(4)));
  BOOST_TEST(bench.guest.driver.interrupt().take(VsockDevice::kEventQueue) == 1U);
  BOOST_TEST(bench.guest.take() == "");
}

BOOST_AUTO_TEST_CASE(an_event_waits_for_a_buffer_that_holds_it) {
  Bench bench;
  bench.device.transport_reset();
  bench.guest.driver.send_to(bench.device, VsockDevice::kEventQueue, {}, {3});
  BOOST_TEST(bench.guest.driver.pop_used(VsockDevice::kEventQueue)->written == 0U);
  bench.guest.driver.send_to(bench.device, VsockDevice::kEventQueue, {}, {4});
  BOOST_TEST(bench.guest.driver.pop_used(VsockDevice::kEventQueue)->written == 4U);
  bench.guest.driver.send_to(bench.device, VsockDevice::kEventQueue, {}, {4});
  BOOST_TEST(!bench.guest.driver.pop_used(VsockDevice::kEventQueue).has_value());
}

BOOST_AUTO_TEST_CASE(a_transport_reset_without_an_event_queue_resets_each_connection) {
  Bench bench({}, 64, 2);
  bench.open(1, 1);
  bench.open(1, 2);
  bench.device.transport_reset();
  BOOST_TEST(bench.host.take() == "closed device_reset 1:1; closed device_reset 1:2");
  BOOST_TEST(bench.guest.take() == "RST 1:1; RST 1:2");
  bench.device.process(2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::vsock::test
