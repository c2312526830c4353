#include <backends/virtio/vsock/device.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/unit/vsock/fake_guest.hpp>

namespace capsa::vsock::test {

namespace {

Bytes raw(const Header& header) {
  const auto bytes = encode(header);
  return {bytes.begin(), bytes.end()};
}

constexpr Op kAllOps[] = {Op::Invalid,  Op::Request,   Op::Response,     Op::Reset,
                          Op::Shutdown, Op::ReadWrite, Op::CreditUpdate, Op::CreditRequest,
                          Op{8},        Op{0x1234},    Op{0xffff}};

}  // namespace

BOOST_AUTO_TEST_SUITE(vsock_device_receive)

BOOST_AUTO_TEST_CASE(a_packet_may_lie_in_any_two_pieces) {
  Bench bench;
  const auto key = bench.open();
  Header header = FakeGuest::header(key, Op::ReadWrite);
  header.len = 20;
  Bytes packet = raw(header);
  const auto payload = pattern(20);
  packet.insert(packet.end(), payload.begin(), payload.end());
  for (std::size_t cut = 0; cut <= packet.size(); ++cut) {
    const auto at = packet.begin() + static_cast<std::ptrdiff_t>(cut);
    bench.guest.send_raw({Bytes(packet.begin(), at), Bytes(at, packet.end())});
    BOOST_TEST((std::exchange(bench.host.received[key], {}) == payload), "cut at " << cut);
  }
}

BOOST_AUTO_TEST_CASE(a_packet_may_lie_in_pieces_of_one_byte) {
  Bench bench;
  const auto key = bench.open();
  Header header = FakeGuest::header(key, Op::ReadWrite);
  header.len = 50;
  std::vector<Bytes> pieces;
  for (const auto byte : raw(header))
    pieces.push_back({byte});
  for (const auto byte : pattern(50))
    pieces.push_back({byte});
  bench.guest.send_raw(pieces);
  BOOST_TEST((bench.host.received[key] == pattern(50)));
  BOOST_TEST(bench.host.pieces_seen == 50U);
}

BOOST_AUTO_TEST_CASE(bytes_behind_the_length_are_not_delivered) {
  Bench bench;
  const auto key = bench.open();
  Header header = FakeGuest::header(key, Op::ReadWrite);
  header.len = 3;
  bench.guest.send(header, to_bytes("abcdef"));
  BOOST_TEST(to_text(bench.host.received[key]) == "abc");
}

BOOST_AUTO_TEST_CASE(a_burst_of_many_large_packets_does_not_stall) {
  Bench bench;
  const auto key = bench.open();
  for (std::uint64_t i = 0; i < 64; ++i) {
    bench.guest.send_data(key, pattern(64 * 1024, i * 64 * 1024));
    bench.guest.give(bench.guest.all().size());
  }
  BOOST_TEST((bench.host.received[key] == pattern(64 * 64 * 1024)));
}

BOOST_AUTO_TEST_CASE(a_guest_that_refills_its_ring_as_it_is_drained_gets_one_rings_worth_a_turn) {
  Bench bench;
  const auto key = bench.open();
  auto& driver = bench.guest.driver;
  Header header = FakeGuest::header(key, Op::ReadWrite);
  header.len = 1;
  constexpr std::size_t kPackets = 10'000;
  std::size_t added = 0;
  const auto add = [&] {
    bench.guest.reclaim();
    driver.add(VsockDevice::kTransmitQueue, {raw(header), Bytes(1)}, {});
    ++added;
    return driver.publish(VsockDevice::kTransmitQueue);
  };
  // The guest's other CPU, which is as fast as we are.
  bench.host.on_data = [&](ConnectionKey) {
    if (added < kPackets) add();
  };
  BOOST_TEST(add());
  bench.device.process(VsockDevice::kTransmitQueue);
  BOOST_TEST(bench.host.more);
  BOOST_TEST(bench.host.received[key].size() == 256U);

  int turns = 0;
  for (; bench.host.more && turns < 1000; ++turns) {
    bench.device.process_more();
    bench.guest.give(bench.guest.all().size());
  }
  BOOST_TEST(turns == static_cast<int>(kPackets / 256));
  BOOST_TEST(bench.host.received[key].size() == kPackets);
  // Empty for once: the next packet is kicked for again.
  BOOST_TEST(add());
}

BOOST_AUTO_TEST_CASE(the_rest_of_a_turn_finds_nothing_where_the_device_was_reset_meanwhile) {
  Bench bench;
  const auto key = bench.open();
  auto& driver = bench.guest.driver;
  Header header = FakeGuest::header(key, Op::ReadWrite);
  header.len = 1;
  bench.host.on_data = [&](ConnectionKey) {
    bench.guest.reclaim();
    driver.add(VsockDevice::kTransmitQueue, {raw(header), Bytes(1)}, {});
    driver.publish(VsockDevice::kTransmitQueue);
  };
  bench.guest.send(header, Bytes(1));
  BOOST_TEST(bench.host.more);
  bench.device.reset(nullptr);
  BOOST_TEST(bench.host.take() == "closed device_reset 1024:5000");
  bench.device.process_more();
  BOOST_TEST(bench.host.received[key].size() == 256U);
}

BOOST_AUTO_TEST_CASE(too_short_for_a_header_is_dropped_and_given_back) {
  Bench bench;
  bench.open();
  for (std::size_t size = 1; size < kHeaderSize; ++size)
    bench.guest.send_raw({Bytes(size)});
  BOOST_TEST(bench.device.stats().dropped == kHeaderSize - 1);
  BOOST_TEST(bench.guest.driver.free_descriptors(1) == 256U);
  BOOST_TEST(bench.guest.take() == "");
}

BOOST_AUTO_TEST_CASE(addresses_that_are_not_ours_are_dropped_without_an_answer) {
  Bench bench;
  const auto key = bench.open();
  for (const auto op : kAllOps) {
    for (const std::uint64_t cid : {0ULL, 1ULL, 2ULL, 78ULL, 0x1'0000'004dULL, ~0ULL}) {
      Header header = FakeGuest::header(key, op);
      header.src_cid = cid;
      bench.guest.send(header);
      header = FakeGuest::header(key, op);
      header.dst_cid = cid == 2 ? 3 : cid;
      bench.guest.send(header);
    }
  }
  BOOST_TEST(bench.device.stats().dropped == 12 * std::size(kAllOps));
  BOOST_TEST(bench.guest.take() == "");
  BOOST_TEST(bench.host.take() == "");
  BOOST_TEST(bench.device.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(another_socket_type_is_reset_in_its_own_type_and_harms_nobody) {
  Bench bench;
  const auto key = bench.open();
  for (const std::uint16_t type : {0, 2, 0x0100, 0xffff}) {
    for (const auto op : kAllOps) {
      Header header = FakeGuest::header(key, op);
      header.type = type;
      bench.guest.send(header);
      const auto answer = bench.guest.next();
      BOOST_TEST(answer.has_value() == (op != Op::Reset));
      if (!answer) continue;
      BOOST_TEST((answer->header.op == Op::Reset));
      BOOST_TEST(answer->header.type == type);
      bench.guest.give(1);
    }
  }
  BOOST_TEST(bench.device.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(whatever_belongs_to_no_connection_is_reset_but_never_a_reset) {
  Bench bench;
  bench.host.accepts = false;
  for (const auto op : kAllOps) {
    bench.guest.send({7, 8}, op);
    BOOST_TEST(bench.guest.take() == (op == Op::Reset ? "" : "RST 7:8"));
    bench.guest.give(1);
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_belong_into_a_connection_resets_it) {
  for (const auto op : {Op::Invalid, Op::Request, Op::Response, Op{8}, Op{0xffff}}) {
    Bench bench;
    const auto key = bench.open();
    bench.guest.send(key, op);
    BOOST_TEST(bench.host.take() == "closed protocol_violation 1024:5000");
    BOOST_TEST(bench.guest.take() == "RST 1024:5000");
    BOOST_TEST(bench.device.stats().violations == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_length_beyond_the_buffers_resets_the_connection) {
  for (const std::uint32_t len : {11U, 0x1'0000U, 0x7fff'ffffU, 0xffff'ffffU}) {
    Bench bench;
    const auto key = bench.open();
    Header header = FakeGuest::header(key, Op::ReadWrite);
    header.len = len;
    bench.guest.send(header, pattern(10));
    BOOST_TEST(bench.host.take() == "closed protocol_violation 1024:5000");
    BOOST_TEST(bench.guest.take() == "RST 1024:5000");
    bench.guest.send(header, pattern(10));
    BOOST_TEST(bench.guest.take() == "RST 1024:5000");
    header.op = Op::Reset;
    bench.guest.send(header, pattern(10));
    BOOST_TEST(bench.guest.take() == "");
  }
}

BOOST_AUTO_TEST_CASE(sending_beyond_the_credit_resets_the_connection) {
  Bench bench({.receive_buffer = 1000});
  bench.host.auto_consume = false;
  const auto key = bench.open();
  bench.guest.send_data(key, pattern(600));
  bench.guest.send_data(key, pattern(400));
  bench.guest.send_data(key, pattern(1));
  BOOST_TEST(bench.host.take() == "closed protocol_violation 1024:5000");
  BOOST_TEST(bench.host.received[key].size() == 1000U);
}

BOOST_AUTO_TEST_CASE(a_host_that_does_not_consume_stops_only_its_own_connection) {
  Bench bench;
  bench.host.auto_consume = false;
  const auto slow = bench.open(1, 1);
  const auto quick = bench.open(1, 2);
  for (int i = 0; i < 4; ++i)
    bench.guest.send_data(slow, pattern(64 * 1024));
  for (int i = 0; i < 40; ++i) {
    bench.guest.send_data(quick, pattern(64 * 1024));
    bench.device.consumed(quick, 64 * 1024);
    bench.guest.give(bench.guest.all().size());
  }
  BOOST_TEST(bench.host.received[slow].size() == 4U * 64 * 1024);
  BOOST_TEST(bench.host.received[quick].size() == 40U * 64 * 1024);
  BOOST_TEST(bench.host.take() == "");
}

BOOST_AUTO_TEST_CASE(resets_that_find_no_buffer_hold_the_guests_packets_back_and_none_is_lost) {
  Bench bench({.max_pending_resets = 8}, 0);
  bench.host.accepts = false;
  constexpr std::uint32_t kCount = 50;
  for (std::uint32_t port = 0; port < kCount; ++port)
    bench.guest.send({1, port}, Op::Request);
  // Eight are answered in our memory; the rest is still in the guest's ring.
  BOOST_TEST(bench.device.stats().packets_received == 8U);
  std::uint32_t next = 0;
  while (next < kCount) {
    bench.guest.give(3);
    const auto packets = bench.guest.all();
    BOOST_REQUIRE(!packets.empty());
    for (const auto& packet : packets) {
      BOOST_TEST((packet.header.op == Op::Reset));
      BOOST_TEST(packet.header.dst_port == next++);
    }
  }
  bench.guest.reclaim();
  BOOST_TEST(bench.guest.driver.free_descriptors(1) == 256U);
}

BOOST_AUTO_TEST_CASE(a_reset_that_still_waits_does_not_hit_the_next_connection_of_the_same_ports) {
  Bench bench({}, 0);
  const auto key = bench.open();
  bench.guest.give(1);
  bench.guest.all();
  bench.device.reset(key);
  bench.guest.send(key, Op::Request);
  bench.guest.give(4);
  BOOST_TEST(bench.guest.take() == "RESPONSE 1024:5000");
}

BOOST_AUTO_TEST_CASE(connections_that_come_and_go_without_rx_buffers_leave_nothing_behind) {
  Bench bench({}, 0);
  for (int i = 0; i < 10'000; ++i) {
    bench.guest.send({1, 1}, Op::Request);
    bench.guest.send({1, 1}, Op::Reset);
  }
  bench.guest.give(16);
  BOOST_TEST(bench.guest.take() == "");
  BOOST_TEST(bench.device.connections() == 0U);
}

BOOST_AUTO_TEST_CASE(a_host_may_end_a_connection_from_inside_its_data) {
  Bench bench;
  const auto key = bench.open();
  bench.host.on_data = [&](ConnectionKey at) { bench.device.reset(at); };
  bench.guest.send_data(key, to_bytes("x"));
  BOOST_TEST(bench.guest.take() == "RST 1024:5000");

  const auto other = bench.open(1024, 5001);
  bench.host.on_data = [&](ConnectionKey at) {
    bench.device.send(at, to_bytes("bye"));
    bench.device.shutdown(at, true, true);
  };
  bench.guest.send_data(other, to_bytes("x"));
  BOOST_TEST(bench.guest.take() == "RW 1024:5001 3; SHUTDOWN 1024:5001 3");
  BOOST_TEST(bench.device.connections() == 0U);
}

BOOST_AUTO_TEST_CASE(a_broken_ring_is_left_alone) {
  Bench bench;
  const auto key = bench.open();
  bench.guest.driver.raw_available_index(VsockDevice::kTransmitQueue, 0x4000);
  bench.device.process(VsockDevice::kTransmitQueue);
  bench.guest.driver.raw_available_index(VsockDevice::kReceiveQueue, 0x4000);
  bench.device.process(VsockDevice::kReceiveQueue);
  BOOST_TEST(bench.device.send(key, to_bytes("x")) == 1U);
  bench.device.process(3);
  bench.device.process(0xffff);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::vsock::test
