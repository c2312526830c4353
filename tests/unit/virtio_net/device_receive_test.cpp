#include <boost/test/unit_test.hpp>
#include <tests/unit/virtio_net/bench.hpp>

namespace capsa::virtio::nic::test {

BOOST_AUTO_TEST_SUITE(virtio_net_receive)

BOOST_AUTO_TEST_CASE(a_batch_fills_one_buffer_each_and_interrupts_once) {
  Bench bench;
  bench.give(5);
  bench.signals(0);
  bench.receive({pattern(60, 1), pattern(1514, 2), pattern(14, 3)});
  BOOST_TEST(bench.signals(0) == 1U);
  for (const auto& [size, seed] : {std::pair{60U, 1U}, {1514U, 2U}, {14U, 3U}}) {
    const Bytes buffer = bench.next();
    BOOST_TEST((read_header(buffer) == RawHeader{.num_buffers = 1}));
    BOOST_TEST((Bench::frame_of(buffer) == pattern(size, seed)));
  }
  BOOST_TEST(bench.card->stats().received_frames == 3U);
  BOOST_TEST(bench.card->stats().received_bytes == 60U + 1514 + 14);
}

BOOST_AUTO_TEST_CASE(a_large_frame_is_spread_over_buffers_that_are_full_but_the_last) {
  for (const bool indirect : {false, true}) {
    Bench bench({.driver = {.indirect = indirect}});
    bench.give(20, {7, 993});
    const Bytes frame = tcp_frame(3400);
    bench.receive({frame, pattern(60)}, {});
    BOOST_TEST(bench.driver.used_pending(0) == 5U);
    Bytes got;
    for (const std::size_t length : {1000U, 1000U, 1000U, 466U}) {
      const auto used = bench.driver.pop_used(0);
      BOOST_REQUIRE(used.has_value());
      BOOST_TEST(used->written == length);
      got.insert(got.end(), used->data.begin(), used->data.end());
    }
    BOOST_TEST(read_header(got).num_buffers == 4U);
    BOOST_TEST((Bench::frame_of(got) == frame));
    BOOST_TEST(read_header(bench.next()).num_buffers == 1U);
  }
}

BOOST_AUTO_TEST_CASE(buffers_that_do_not_suffice_are_not_used_until_there_are_enough) {
  for (const bool event_idx : {false, true}) {
    Bench bench({.driver = {.event_idx = event_idx}});
    bench.give(3, {1000});
    bench.receive({pattern(3500, 1), pattern(60, 2)});
    BOOST_TEST(bench.driver.used_pending(0) == 0U);
    BOOST_TEST(bench.driver.queue(0).next_available() == 0U);
    BOOST_TEST(bench.card->waiting() == 2U);
    // Nobody overtakes, although it would fit.
    bench.receive({pattern(61, 3)});
    BOOST_TEST(bench.driver.used_pending(0) == 0U);
    // The next buffer comes with a kick.
    bench.driver.add(0, {}, {1000});
    BOOST_TEST(bench.driver.publish(0));
    bench.card->process(0);
    BOOST_TEST(bench.driver.used_pending(0) == 4U);
    bench.driver.add(0, {}, {1000});
    bench.driver.add(0, {}, {1000});
    BOOST_TEST(bench.driver.publish(0));
    bench.card->process(0);
    BOOST_TEST(bench.driver.used_pending(0) == 6U);
    Bytes got;
    for (int i = 0; i < 4; ++i) {
      const Bytes buffer = bench.next();
      got.insert(got.end(), buffer.begin(), buffer.end());
    }
    BOOST_TEST((Bench::frame_of(got) == pattern(3500, 1)));
    BOOST_TEST((Bench::frame_of(bench.next()) == pattern(60, 2)));
    BOOST_TEST((Bench::frame_of(bench.next()) == pattern(61, 3)));
    BOOST_TEST(bench.card->waiting() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_frame_that_no_number_of_buffers_can_hold_is_dropped) {
  Bench bench({.config = {.mac = kMac, .queue_size = 16}});
  bench.give(16, {1000});
  bench.receive({pattern(20'000), pattern(60)});
  bench.go_on();
  BOOST_TEST(bench.card->stats().receive_too_long == 1U);
  BOOST_TEST(bench.driver.used_pending(0) == 1U);
  BOOST_TEST((Bench::frame_of(bench.next()) == pattern(60)));
}

BOOST_AUTO_TEST_CASE(without_mergeable_buffers_a_frame_fits_one_buffer_or_is_dropped) {
  Bench bench({}, kEverything & ~kFeatureMergeableBuffers);
  bench.give(2, {12, 100});
  bench.receive({pattern(101), pattern(100)});
  BOOST_TEST(bench.card->stats().receive_too_long == 1U);
  BOOST_TEST(bench.driver.used_pending(0) == 1U);
  const Bytes buffer = bench.next();
  BOOST_TEST(read_header(buffer).num_buffers == 1U);
  BOOST_TEST((Bench::frame_of(buffer) == pattern(100)));
}

BOOST_AUTO_TEST_CASE(buffers_too_small_for_a_header_are_given_back_empty) {
  Bench bench({.config = {.mac = kMac, .queue_size = 64}});
  bench.give(63, {11});
  bench.give(1);
  bench.receive({pattern(60)});
  bench.go_on();
  BOOST_TEST(bench.card->stats().useless_buffers == 63U);
  for (int i = 0; i < 63; ++i)
    BOOST_TEST(bench.driver.pop_used(0)->written == 0U);
  BOOST_TEST((Bench::frame_of(bench.next()) == pattern(60)));
}

BOOST_AUTO_TEST_CASE(what_is_left_to_be_done_is_left_to_a_guest_that_takes_it) {
  for (const bool ipv6 : {false, true}) {
    Bench bench;
    BOOST_TEST((bench.card->offloads() == net::kAllOffloads));
    bench.give(100);
    const TcpSpec spec{.ipv6 = ipv6};
    net::FrameMeta meta = tcp_gso(spec);
    meta.ecn = true;
    bench.receive({tcp_frame(4000, spec)}, meta);
    RawHeader expected = gso_header(spec);
    expected.gso_type |= 0x80;
    expected.num_buffers = 3;
    BOOST_TEST((read_header(bench.next()) == expected));
    bench.next();
    bench.next();
    bench.receive({tcp_frame(10)},
                  {.needs_checksum = true, .checksum_start = 34, .checksum_offset = 16});
    BOOST_TEST((read_header(bench.next()) ==
                RawHeader{.flags = 1, .csum_start = 34, .csum_offset = 16, .num_buffers = 1}));
    bench.receive({tcp_frame(10)}, {.checksum_valid = true});
    BOOST_TEST((read_header(bench.next()) == RawHeader{.flags = 2, .num_buffers = 1}));
  }
}

BOOST_AUTO_TEST_CASE(a_guest_that_takes_nothing_gets_whole_checksums_and_no_large_segments) {
  // Without GUEST_CSUM the others do not count.
  Bench bench({}, kFeatureMac | kFeatureMergeableBuffers | kFeatureGuestTso4 | kFeatureGuestEcn);
  BOOST_TEST((bench.card->offloads() == net::Offloads{.checksum = true}));
  BOOST_TEST(!bench.card->accepts(tcp_gso()));
  bench.give(10);
  bench.receive({tcp_frame(4000)}, tcp_gso());
  BOOST_TEST(bench.card->stats().receive_unaccepted == 1U);
  Bytes frame = tcp_frame(33);
  bench.receive({frame}, {.needs_checksum = true, .checksum_start = 34, .checksum_offset = 16});
  net::test::put16(frame, 50, net::test::reference_checksum(std::span(frame).subspan(34)));
  const Bytes buffer = bench.next();
  BOOST_TEST((read_header(buffer) == RawHeader{.num_buffers = 1}));
  BOOST_TEST((Bench::frame_of(buffer) == frame));
  bench.receive({frame}, {.checksum_valid = true});
  BOOST_TEST((read_header(bench.next()) == RawHeader{.num_buffers = 1}));
  // A neighbour that lies about its frame loses it.
  bench.receive({frame}, {.needs_checksum = true, .checksum_start = 34, .checksum_offset = 999});
  BOOST_TEST(bench.card->stats().receive_unaccepted == 2U);
  BOOST_TEST(bench.driver.used_pending(0) == 0U);
}

BOOST_AUTO_TEST_CASE(frames_longer_than_the_mtu_are_not_received) {
  Bench bench({.config = {.mac = kMac, .mtu = 1500}}, kEverything | kFeatureMtu);
  bench.give(100);
  bench.receive({tcp_frame(1460), tcp_frame(1461), tcp_frame(1460, {.tags = 1})});
  bench.receive({tcp_frame(9000)}, tcp_gso());
  BOOST_TEST(bench.card->stats().receive_too_long == 1U);
  BOOST_TEST(bench.card->stats().received_frames == 3U);
}

BOOST_AUTO_TEST_CASE(a_slow_guest_holds_frames_of_its_own_pool_bounded) {
  Bench bench({.config = {.mac = kMac, .backlog = 8}});
  for (unsigned at = 0; at < 20; ++at)
    bench.receive({pattern(60, at)});
  BOOST_TEST(bench.card->waiting() == 8U);
  BOOST_TEST(bench.card->stats().receive_overflow == 12U);
  BOOST_TEST(bench.far_pool->stats().bytes_in_use == 0U);
  BOOST_TEST(bench.pool->stats().bytes_in_use == 8U * 2048);
  bench.give(20);
  for (unsigned at = 0; at < 8; ++at)
    BOOST_TEST((Bench::frame_of(bench.next()) == pattern(60, at)));
  BOOST_TEST(bench.driver.used_pending(0) == 0U);
  BOOST_TEST(bench.pool->stats().bytes_in_use == 0U);
}

BOOST_AUTO_TEST_CASE(a_turn_over_buffers_of_a_byte_ends_and_goes_on_later) {
  Bench bench({.config = {.mac = kMac, .queue_size = 256}});
  bench.give(1, {12});
  bench.give(200, {1});
  bench.receive({pattern(100, 1), pattern(100, 2)});
  BOOST_TEST(bench.later == 0);
  BOOST_TEST(bench.driver.used_pending(0) == 201U);
  BOOST_TEST(bench.card->stats().useless_buffers == 100U);
  BOOST_TEST(bench.card->waiting() == 1U);
  // One call pops at most a ring's worth.
  Bench other({.config = {.mac = kMac, .queue_size = 64}});
  other.give(64, {11});
  other.receive({pattern(60, 1), pattern(60, 2)});
  BOOST_TEST(other.later == 1);
  BOOST_TEST(other.card->waiting() == 2U);
  while (other.driver.pop_used(0)) {
  }
  other.give(2);
  other.go_on();
  BOOST_TEST((Bench::frame_of(other.next()) == pattern(60, 1)));
  BOOST_TEST((Bench::frame_of(other.next()) == pattern(60, 2)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::nic::test
