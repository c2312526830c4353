#include <boost/test/unit_test.hpp>
#include <tests/unit/virtio_net/bench.hpp>

namespace capsa::virtio::nic::test {

BOOST_AUTO_TEST_SUITE(virtio_net_device)

BOOST_AUTO_TEST_CASE(configuration_says_what_the_card_is) {
  Bench bench({.config = {.mac = kMac, .mtu = 9000, .queue_pairs = 4}}, std::nullopt);
  const auto identity = bench.card->identity();
  BOOST_TEST(identity.type == 1U);
  BOOST_TEST(identity.queue_sizes.size() == 9U);
  BOOST_TEST(identity.required_queues == 2U);
  BOOST_TEST((identity.features & kFeatureMtu) != 0U);
  BOOST_TEST((identity.features & kSeveralQueues) == kSeveralQueues);
  Bytes config(16, std::byte{0xee});
  bench.card->read_config(0, config);
  const std::array<unsigned, 16> expected{0x52, 0x54, 0, 1, 2, 3, 1, 0, 4, 0, 0x28, 0x23};
  for (std::size_t at = 0; at < config.size(); ++at)
    BOOST_TEST(std::to_integer<unsigned>(config[at]) == expected[at]);
  Bytes tail(3, std::byte{0xee});
  bench.card->read_config(11, tail);
  BOOST_TEST((tail == Bytes{std::byte{0x23}, std::byte{0}, std::byte{0}}));
  bench.card->read_config(std::size_t{1} << 40, tail);
  BOOST_TEST((tail == Bytes(3)));
  const Bytes other(6);
  bench.card->write_config(0, other);
  bench.card->read_config(0, tail);
  BOOST_TEST((tail[0] == std::byte{0x52}));
}

BOOST_AUTO_TEST_CASE(one_queue_pair_has_no_control_queue) {
  Bench bench({}, std::nullopt);
  BOOST_TEST(bench.card->identity().queue_sizes.size() == 2U);
  BOOST_TEST((bench.card->identity().features &
              (kFeatureControlQueue | kFeatureMultiQueue | kFeatureMtu)) == 0U);
}

BOOST_AUTO_TEST_CASE(a_configuration_out_of_range_is_refused_by_name) {
  net::FramePair wire;
  const auto pool = net::FramePool::create();
  const auto refused = [&](NetConfig config) {
    const auto made = NetDevice::create(config, wire.a(), pool, [] {});
    return made.ok() ? std::string() : made.error().message();
  };
  BOOST_TEST(refused({.mac = kMac}).empty());
  BOOST_TEST(refused({}).starts_with("network card mac"));
  BOOST_TEST(refused({.mac = {0x53, 0, 0, 0, 0, 1}}).starts_with("network card mac"));
  BOOST_TEST(refused({.mac = kMac, .mtu = 67}).starts_with("network card mtu"));
  BOOST_TEST(refused({.mac = kMac, .mtu = 68}).empty());
  BOOST_TEST(refused({.mac = kMac, .queue_pairs = 0}).starts_with("network card queue pairs"));
  BOOST_TEST(refused({.mac = kMac, .queue_pairs = 17}).starts_with("network card queue pairs"));
  BOOST_TEST(refused({.mac = kMac, .queue_size = 100}).starts_with("network card queue size"));
  BOOST_TEST(refused({.mac = kMac, .queue_size = 8}).starts_with("network card queue size"));
  BOOST_TEST(refused({.mac = kMac, .backlog = 0}).starts_with("network card backlog"));
  BOOST_TEST(!NetDevice::create({.mac = kMac}, wire.a(), nullptr, [] {}).ok());
  BOOST_TEST(!NetDevice::create({.mac = kMac}, wire.a(), pool, {}).ok());
}

BOOST_AUTO_TEST_CASE(before_a_driver_and_after_it_frames_are_dropped) {
  Bench bench({}, std::nullopt);
  bench.card->process(0);
  bench.card->process(1);
  bench.card->process_more();
  bench.card->credit_available();
  bench.receive({pattern(60)});
  BOOST_TEST(bench.card->stats().receive_not_ready == 1U);
  bench.activate(kEverything);
  bench.receive({pattern(60)});
  BOOST_TEST(bench.card->waiting() == 1U);
  bool done = false;
  bench.card->reset([&] { done = true; });
  BOOST_TEST(done);
  BOOST_TEST(!bench.card->active());
  BOOST_TEST(bench.card->waiting() == 0U);
  BOOST_TEST((bench.card->offloads() == net::Offloads{.checksum = true}));
  bench.receive({pattern(60)});
  BOOST_TEST(bench.card->stats().receive_not_ready == 2U);
  BOOST_TEST(bench.pool->stats().bytes_in_use == 0U);
}

BOOST_AUTO_TEST_CASE(a_suspended_card_keeps_what_waits_and_goes_on) {
  for (const bool event_idx : {false, true}) {
    Bench bench({.driver = {.event_idx = event_idx}});
    bench.give(2, {100});
    bench.receive({pattern(500, 1)});  // does not fit yet
    bool done = false;
    bench.card->suspend([&] { done = true; });
    BOOST_TEST(done);
    bench.receive({pattern(60, 2)});
    // Both directions while nobody looks.
    bench.driver.add(0, {}, {1000});
    bench.driver.add(0, {}, {1000});
    bench.driver.publish(0);
    bench.driver.send(1, {RawHeader{}.bytes(), pattern(70)});
    bench.card->process(0);
    bench.card->process(1);
    BOOST_TEST(bench.driver.used_pending(0) == 0U);
    BOOST_TEST(bench.driver.used_pending(1) == 0U);
    bench.activate(kEverything);
    Bytes got;
    for (int i = 0; i < 3; ++i) {
      const Bytes buffer = bench.next();
      got.insert(got.end(), buffer.begin(), buffer.end());
    }
    BOOST_TEST((Bench::frame_of(got) == pattern(500, 1)));
    BOOST_TEST((Bench::frame_of(bench.next()) == pattern(60, 2)));
    bench.wire.pump();
    BOOST_REQUIRE(bench.far.frames.size() == 1U);
    BOOST_TEST((bench.far.frames[0].first == pattern(70)));
  }
}

BOOST_AUTO_TEST_CASE(without_a_link_nothing_goes_either_way) {
  struct News final : Interrupt {
    void signal(QueueIndex) override {}
    void config_changed() override { ++count; }
    int count = 0;
  } news;
  Bench bench({}, std::nullopt);
  auto activation = bench.driver.activation(kEverything);
  activation.interrupt = &news;
  bench.card->activate(activation);
  bench.card->process(0);
  bench.card->process(1);
  bench.receive({pattern(60)});  // waits
  bench.card->set_link(false);
  bench.card->set_link(false);
  BOOST_TEST(news.count == 1);
  Bytes status(2);
  bench.card->read_config(6, status);
  BOOST_TEST((status == Bytes(2)));
  bench.give(3);
  bench.receive({pattern(60)});
  bench.send(pattern(60));
  BOOST_TEST(bench.driver.pop_used(1).has_value());
  BOOST_TEST(bench.far.frames.empty());
  BOOST_TEST(bench.card->stats().send_link_down == 1U);
  BOOST_TEST(bench.card->stats().receive_not_ready == 2U);
  BOOST_TEST(bench.driver.used_pending(0) == 0U);
  bench.card->set_link(true);
  BOOST_TEST(news.count == 2);
  bench.receive({pattern(60, 5)});
  BOOST_TEST((Bench::frame_of(bench.next()) == pattern(60, 5)));
}

BOOST_AUTO_TEST_CASE(two_cards_on_one_wire_talk) {
  net::FramePair wire;
  const auto pool = net::FramePool::create();
  const auto left = NetDevice::create({.mac = kMac}, wire.a(), pool, [] {}).value();
  const auto right = NetDevice::create({.mac = kMac}, wire.b(), pool, [] {}).value();
  capsa::test::FakeDriver one(left->identity()), two(right->identity());
  one.activate(*left, kEverything);
  two.activate(*right, kEverything);
  for (int i = 0; i < 30; ++i)
    two.add(0, {}, {1536});
  two.publish(0);
  const Bytes frame = tcp_frame(20'000);
  one.send_to(*left, 1, {gso_header().bytes(), frame});
  wire.pump();
  Bytes got;
  while (const auto used = two.pop_used(0))
    got.insert(got.end(), used->data.begin(), used->data.end());
  RawHeader expected = gso_header();
  expected.num_buffers = 14;
  BOOST_TEST((read_header(got) == expected));
  BOOST_TEST((Bench::frame_of(got) == frame));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::nic::test
