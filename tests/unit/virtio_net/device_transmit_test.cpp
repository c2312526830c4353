#include <boost/test/unit_test.hpp>
#include <tests/unit/virtio_net/bench.hpp>

namespace capsa::virtio::nic::test {

BOOST_AUTO_TEST_SUITE(virtio_net_transmit)

BOOST_AUTO_TEST_CASE(a_frame_leaves_byte_for_byte_however_its_chain_is_cut) {
  for (const bool indirect : {false, true}) {
    Bench bench({.driver = {.indirect = indirect}});
    Bytes whole = RawHeader{}.bytes();
    const Bytes frame = pattern(90);
    whole.insert(whole.end(), frame.begin(), frame.end());
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
      const auto middle = whole.begin() + static_cast<std::ptrdiff_t>(cut);
      bench.driver.send_to(*bench.card, 1,
                           {Bytes(whole.begin(), middle), Bytes(middle, whole.end())});
      bench.wire.pump();
      BOOST_REQUIRE(bench.far.frames.size() == 1U);
      BOOST_TEST((bench.far.frames[0].first == frame));
      BOOST_TEST((bench.far.frames[0].second == net::FrameMeta{}));
      bench.far.frames.clear();
      const auto used = bench.driver.pop_used(1);
      BOOST_REQUIRE(used.has_value());
      BOOST_TEST(used->written == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_was_made_available_together_is_one_batch_and_one_interrupt) {
  Bench bench;
  for (unsigned at = 0; at < 100; ++at)
    bench.driver.add(1, {RawHeader{}.bytes(), pattern(60 + at, at)}, {});
  bench.driver.publish(1);
  bench.card->process(1);
  bench.wire.pump();
  BOOST_TEST(bench.far.batches == 1U);
  BOOST_REQUIRE(bench.far.frames.size() == 100U);
  for (unsigned at = 0; at < 100; ++at)
    BOOST_TEST((bench.far.frames[at].first == pattern(60 + at, at)));
  BOOST_TEST(bench.signals(1) == 1U);
  BOOST_TEST(bench.card->stats().sent_frames == 100U);
  BOOST_TEST(bench.later == 0);
}

BOOST_AUTO_TEST_CASE(what_is_left_to_be_done_travels_with_the_frame) {
  for (const bool ipv6 : {false, true}) {
    Bench bench;
    const TcpSpec spec{.ipv6 = ipv6, .options = 12};
    RawHeader header = gso_header(spec);
    header.gso_type |= 0x80;
    header.hdr_len = 14;  // a hint, and a wrong one
    header.flags |= 2;    // not the guest's to say
    bench.send(tcp_frame(30'000, spec), header);
    net::FrameMeta expected = tcp_gso(spec);
    expected.ecn = true;
    BOOST_REQUIRE(bench.far.frames.size() == 1U);
    BOOST_TEST((bench.far.frames[0].second == expected));
    BOOST_TEST((bench.far.frames[0].first == tcp_frame(30'000, spec)));
    bench.send(tcp_frame(100), {.flags = 1, .csum_start = 34, .csum_offset = 16});
    BOOST_REQUIRE(bench.far.frames.size() == 2U);
    BOOST_TEST(
        (bench.far.frames[1].second ==
         net::FrameMeta{.needs_checksum = true, .checksum_start = 34, .checksum_offset = 16}));
  }
}

BOOST_AUTO_TEST_CASE(a_port_without_checksums_gets_them_completed) {
  Bench bench({.offloads = {}}, kEverything);
  BOOST_TEST((bench.card->identity().features & (kFeatureHostTso4 | kFeatureHostTso6)) == 0U);
  Bytes frame = tcp_frame(101);
  bench.send(frame, {.flags = 1, .csum_start = 34, .csum_offset = 16});
  BOOST_REQUIRE(bench.far.frames.size() == 1U);
  net::test::put16(frame, 50, net::test::reference_checksum(std::span(frame).subspan(34)));
  BOOST_TEST((bench.far.frames[0].first == frame));
  BOOST_TEST((bench.far.frames[0].second == net::FrameMeta{}));
  // Not offered, so not taken although the driver says that it was agreed.
  bench.send(tcp_frame(3000), gso_header());
  BOOST_TEST(bench.card->stats().send_bad_header == 1U);
}

BOOST_AUTO_TEST_CASE(headers_that_lie_lose_their_frame_only) {
  std::vector<std::pair<RawHeader, Bytes>> hostile;
  const Bytes frame = tcp_frame(3000);
  const auto with = [&](auto change) {
    RawHeader header = gso_header();
    change(header);
    hostile.emplace_back(header, frame);
  };
  with([](RawHeader& h) { h.gso_size = 0; });
  with([](RawHeader& h) { h.gso_type = 4; });
  with([](RawHeader& h) { h.gso_type = 3; });  // UDP fragments
  with([](RawHeader& h) { h.gso_type = 5; });  // UDP segments
  with([](RawHeader& h) { h.gso_type = 0x80; });
  with([](RawHeader& h) { h.gso_type = 0x7f; });
  with([](RawHeader& h) { h.flags = 0; });
  with([](RawHeader& h) { h.hdr_len = 0xffff; });
  with([](RawHeader& h) { h.csum_start = 0xffff; });
  with([](RawHeader& h) { h.csum_offset = 0xffff; });
  with([](RawHeader& h) { h.csum_start = 0; });
  hostile.push_back({gso_header({.ipv6 = true}), frame});
  hostile.push_back({gso_header(), tcp_frame(3000, {.ipv6 = true})});
  hostile.push_back({gso_header(), pattern(3000)});
  hostile.push_back({{.flags = 1, .csum_start = 13, .csum_offset = 16}, frame});
  hostile.push_back({{.flags = 1, .csum_start = 3053, .csum_offset = 0}, frame});
  Bench bench;
  for (const auto& [header, bytes] : hostile) {
    bench.send(bytes, header);
    BOOST_TEST(bench.driver.pop_used(1).has_value());
  }
  BOOST_TEST(bench.far.frames.empty());
  BOOST_TEST(bench.card->stats().send_bad_header == hostile.size());
  BOOST_TEST(bench.pool->stats().bytes_in_use == 0U);
  bench.send(frame, gso_header());
  BOOST_TEST(bench.far.frames.size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_not_agreed_is_not_taken) {
  Bench bench({}, kFeatureMac | kFeatureHostTso4 | kFeatureHostTso6);  // without CSUM: neither
  bench.send(tcp_frame(3000), gso_header());
  bench.send(tcp_frame(300), {.flags = 1, .csum_start = 34, .csum_offset = 16});
  BOOST_TEST(bench.card->stats().send_bad_header == 2U);
  bench.card->suspend({});
  bench.driver.activate(*bench.card, kFeatureChecksum | kFeatureHostTso4);
  RawHeader ecn = gso_header();
  ecn.gso_type |= 0x80;
  bench.send(tcp_frame(3000), ecn);
  bench.send(tcp_frame(3000, {.ipv6 = true}), gso_header({.ipv6 = true}));
  BOOST_TEST(bench.card->stats().send_bad_header == 4U);
  bench.send(tcp_frame(3000), gso_header());
  BOOST_TEST(bench.far.frames.size() == 1U);
}

BOOST_AUTO_TEST_CASE(frames_have_a_least_and_a_largest_length) {
  Bench bench;
  const auto passes = [&](const Bytes& frame, RawHeader header = {}) {
    bench.far.frames.clear();
    bench.send(frame, header);
    bench.driver.pop_used(1);
    return bench.far.frames.size() == 1;
  };
  BOOST_TEST(!passes({}));
  BOOST_TEST(!passes(pattern(13)));
  BOOST_TEST(passes(pattern(14)));
  BOOST_TEST(passes(pattern(65550)));
  BOOST_TEST(!passes(pattern(65551)));
  BOOST_TEST(!passes(pattern(200'000)));
  bench.driver.send_to(*bench.card, 1, {Bytes(5)});
  BOOST_TEST(bench.card->stats().send_bad_length == 5U);

  Bench small({.config = {.mac = kMac, .mtu = 1500}}, kEverything | kFeatureMtu);
  const auto fits = [&](const Bytes& frame, RawHeader header = {}) {
    small.far.frames.clear();
    small.send(frame, header);
    return small.far.frames.size() == 1;
  };
  BOOST_TEST(fits(tcp_frame(1460)));
  BOOST_TEST(!fits(tcp_frame(1461)));
  BOOST_TEST(fits(tcp_frame(1460, {.tags = 1})));
  BOOST_TEST(!fits(tcp_frame(1461, {.tags = 1})));
  BOOST_TEST(fits(tcp_frame(60'000), gso_header()));
}

BOOST_AUTO_TEST_CASE(a_driver_of_before_virtio_1_has_a_shorter_header) {
  Bench bench({}, std::nullopt);
  auto activation = bench.driver.activation(0);
  activation.features = 0;
  bench.card->activate(activation);
  Bytes whole = RawHeader{}.bytes();
  whole.resize(kLegacyHeaderBytes);
  whole.resize(kLegacyHeaderBytes + 60);
  bench.driver.send_to(*bench.card, 1, {whole});
  bench.wire.pump();
  BOOST_REQUIRE(bench.far.frames.size() == 1U);
  BOOST_TEST(bench.far.frames[0].first.size() == 60U);
  bench.give(1);
  bench.receive({pattern(60)});
  BOOST_TEST(bench.next().size() == kLegacyHeaderBytes + 60);
}

BOOST_AUTO_TEST_CASE(frames_stay_in_the_ring_until_there_is_credit) {
  for (const bool event_idx : {false, true}) {
    Bench bench({.capacity = 4, .driver = {.event_idx = event_idx}});
    for (unsigned at = 0; at < 10; ++at)
      bench.driver.add(1, {RawHeader{}.bytes(), pattern(60, at)}, {});
    bench.driver.publish(1);
    bench.card->process(1);
    BOOST_TEST(bench.driver.used_pending(1) == 4U);
    // More kicks change nothing.
    bench.card->process(1);
    BOOST_TEST(bench.driver.used_pending(1) == 4U);
    bench.wire.pump();
    BOOST_TEST(bench.driver.used_pending(1) == 8U);
    while (bench.wire.pump()) {
    }
    BOOST_REQUIRE(bench.far.frames.size() == 10U);
    for (unsigned at = 0; at < 10; ++at)
      BOOST_TEST((bench.far.frames[at].first == pattern(60, at)));
    BOOST_TEST(bench.card->stats().send_refused == 0U);
    // And then the guest kicks again.
    bench.driver.add(1, {RawHeader{}.bytes(), pattern(60)}, {});
    BOOST_TEST(bench.driver.publish(1));
  }
}

BOOST_AUTO_TEST_CASE(one_call_ends_after_a_ring_or_a_mebibyte_and_goes_on_later) {
  Bench bench({.config = {.mac = kMac, .queue_size = 64}, .capacity = 1000});
  for (unsigned at = 0; at < 64; ++at)
    bench.driver.add(1, {Bytes(12 + 14)}, {});
  bench.driver.publish(1);
  bench.card->process(1);
  BOOST_TEST(bench.later == 1);
  BOOST_TEST(bench.driver.used_pending(1) == 64U);
  bench.go_on();
  while (bench.driver.pop_used(1)) {
  }
  for (unsigned at = 0; at < 40; ++at)
    bench.driver.add(1, {Bytes(12 + 65550)}, {});
  bench.driver.publish(1);
  bench.card->process(1);
  BOOST_TEST(bench.later == 1);
  BOOST_TEST(bench.driver.used_pending(1) == 16U);
  bench.go_on();
  BOOST_TEST(bench.driver.used_pending(1) == 40U);
  bench.wire.pump();
  BOOST_TEST(bench.far.frames.size() == 104U);
}

BOOST_AUTO_TEST_CASE(a_pool_at_its_cap_loses_frames_of_its_own_guest) {
  Bench bench({.pool = 3 * 2048});
  for (unsigned at = 0; at < 5; ++at)
    bench.driver.add(1, {Bytes(12 + 60)}, {});
  bench.driver.publish(1);
  bench.card->process(1);
  bench.wire.pump();
  BOOST_TEST(bench.far.frames.size() == 3U);
  BOOST_TEST(bench.card->stats().send_no_memory == 2U);
  bench.send(pattern(60));
  BOOST_TEST(bench.far.frames.size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_port_that_breaks_its_word_is_counted) {
  struct Liar final : net::FramePort {
    void attach(net::FrameReceiver*) override {}
    std::size_t credit() const override { return 100; }
    std::size_t send(net::FrameBatch& batch) override {
      batch.drop_front(2);
      return 2;
    }
    net::Offloads offloads() const override { return {}; }
  } liar;
  const auto pool = net::FramePool::create();
  const auto card = NetDevice::create({.mac = kMac}, liar, pool, [] {}).value();
  capsa::test::FakeDriver driver(card->identity());
  driver.activate(*card, kFeatureMac);
  for (unsigned at = 0; at < 5; ++at)
    driver.add(1, {Bytes(12 + 60)}, {});
  driver.publish(1);
  card->process(1);
  BOOST_TEST(card->stats().sent_frames == 2U);
  BOOST_TEST(card->stats().sent_bytes == 120U);
  BOOST_TEST(card->stats().send_refused == 3U);
  BOOST_TEST(pool->stats().bytes_in_use == 0U);
}

BOOST_AUTO_TEST_CASE(broken_rings_are_left_alone) {
  Bench bench;
  bench.driver.raw_add(1, 700);
  bench.driver.raw_available_index(1, 1);
  bench.card->process(1);
  BOOST_TEST(bench.driver.queue(1).broken());
  bench.card->process(1);
  bench.card->process(77);
  bench.give(2);
  bench.receive({pattern(60)});
  BOOST_TEST((Bench::frame_of(bench.next()) == pattern(60)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::nic::test
