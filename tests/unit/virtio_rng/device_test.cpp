#include <algorithm>
#include <backends/virtio/rng/device.hpp>
#include <boost/test/unit_test.hpp>
#include <set>
#include <tests/support/fake_driver.hpp>

namespace capsa::virtio::rng {

namespace {

using test::Bytes;
using test::FakeDriver;
using test::FakeDriverOptions;

struct Bench {
  explicit Bench(FakeDriverOptions options = {})
      : device([this] { ++later; }), driver(device.identity(), options) {}
  /// What a chain of these buffers comes back with.
  FakeDriver::Used ask(const std::vector<std::size_t>& writable,
                       const std::vector<Bytes>& readable = {}) {
    driver.add(0, readable, writable);
    if (driver.publish(0)) device.process(0);
    return driver.pop_used(0).value();
  }

  unsigned later = 0;
  RngDevice device;
  FakeDriver driver;
};

/// Whether it could be random: 64 KiB of it hold every value about 256 times.
bool looks_random(const Bytes& bytes) {
  std::array<std::size_t, 256> counts{};
  for (const auto byte : bytes)
    ++counts[std::to_integer<std::size_t>(byte)];
  const double expected = static_cast<double>(bytes.size()) / 256;
  return std::all_of(counts.begin(), counts.end(), [expected](std::size_t count) {
    return static_cast<double>(count) > expected / 2 && static_cast<double>(count) < expected * 2;
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_rng_device)

BOOST_AUTO_TEST_CASE(it_has_one_queue_and_no_configuration) {
  const Bench bench;
  const auto identity = bench.device.identity();
  BOOST_TEST(identity.type == 4U);
  BOOST_TEST(identity.queue_sizes.size() == 1U);
  BOOST_TEST(identity.required_queues == 1U);
  BOOST_TEST(identity.config_size == 0U);
  Bytes config(4, std::byte{0xee});
  bench.device.read_config(0, config);
  BOOST_TEST((config == Bytes(4)));
}

BOOST_AUTO_TEST_CASE(every_buffer_is_filled_with_bytes_of_its_own) {
  for (const bool event_idx : {false, true}) {
    for (const bool indirect : {false, true}) {
      Bench bench({.event_idx = event_idx, .indirect = indirect});
      bench.driver.activate(bench.device);
      bench.device.process(0);
      std::set<Bytes> seen;
      for (int i = 0; i < 300; ++i) {
        const auto used = bench.ask({64});
        BOOST_TEST(used.written == 64U);
        seen.insert(used.data);
      }
      BOOST_TEST(seen.size() == 300U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_large_buffer_in_pieces_is_random_to_its_end) {
  Bench bench;
  bench.driver.activate(bench.device);
  bench.device.process(0);
  const auto used = bench.ask({1, 4095, 4097, 64 * 1024 - 4096 - 4097});
  BOOST_TEST(used.written == 64U * 1024);
  BOOST_TEST(looks_random(used.data));
}

BOOST_AUTO_TEST_CASE(a_chain_gets_no_more_than_the_cap) {
  Bench bench;
  bench.driver.activate(bench.device);
  bench.device.process(0);
  BOOST_TEST(bench.ask({4 * 1024 * 1024}).written == RngDevice::kBytesPerChain);
  // A buffer named again and again.
  const auto buffer = bench.driver.allocator().allocate(1024 * 1024);
  for (std::uint16_t i = 0; i < 64; ++i) {
    const bool last = i == 63;
    bench.driver.raw_descriptor(
        0, i,
        {buffer, 1024 * 1024,
         static_cast<std::uint16_t>(test::kRawWrite | (last ? 0 : test::kRawNext)),
         static_cast<std::uint16_t>(i + 1)});
  }
  bench.driver.raw_add(0, 0);
  bench.driver.publish(0);
  bench.device.process(0);
  BOOST_TEST(bench.driver.pop_used(0)->written == RngDevice::kBytesPerChain);
}

BOOST_AUTO_TEST_CASE(chains_without_room_come_back_empty) {
  Bench bench;
  bench.driver.activate(bench.device);
  bench.device.process(0);
  BOOST_TEST(bench.ask({}, {Bytes(64)}).written == 0U);
  BOOST_TEST(bench.ask({0}).written == 0U);
  BOOST_TEST(bench.ask({}, {{}}).written == 0U);
  BOOST_TEST(bench.ask({8}, {Bytes(64)}).written == 8U);
}

BOOST_AUTO_TEST_CASE(a_full_ring_of_large_chains_takes_several_turns) {
  for (const bool event_idx : {false, true}) {
    Bench bench({.event_idx = event_idx});
    bench.driver.activate(bench.device);
    bench.device.process(0);
    for (int i = 0; i < 10; ++i)
      bench.driver.add(0, {}, {128 * 1024});
    bench.driver.publish(0);
    bench.device.process(0);
    BOOST_TEST(bench.driver.used_pending(0) == 4U);
    BOOST_TEST(bench.later == 1U);
    BOOST_TEST(bench.driver.interrupt().take(0) == 1U);
    bench.device.process_more();
    bench.device.process_more();
    BOOST_TEST(bench.driver.used_pending(0) == 10U);
    BOOST_TEST(bench.later == 2U);
    while (bench.driver.pop_used(0)) {
    }
    // And kicks are asked for again.
    BOOST_TEST(bench.ask({1}).written == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_ring_of_empty_chains_takes_a_turn_as_well) {
  Bench bench;
  bench.driver.activate(bench.device);
  for (int i = 0; i < 64; ++i)
    bench.driver.add(0, {}, {0});
  bench.driver.publish(0);
  bench.device.process(0);
  BOOST_TEST(bench.driver.used_pending(0) == 64U);
  BOOST_TEST(bench.later == 1U);
}

BOOST_AUTO_TEST_CASE(kicks_before_activation_and_to_unknown_queues_are_ignored) {
  Bench bench;
  bench.driver.send(0, {}, {64});
  bench.device.process(0);
  bench.device.process_more();
  bench.driver.activate(bench.device, 0, 0);
  BOOST_TEST(!bench.device.active());
  bench.driver.activate(bench.device);
  bench.device.process(1);
  bench.device.process(0xffff);
  BOOST_TEST(bench.driver.used_pending(0) == 0U);
  bench.device.process(0);
  BOOST_TEST(bench.driver.used_pending(0) == 1U);
}

BOOST_AUTO_TEST_CASE(a_reset_with_work_left_leaves_it_to_the_next_activation) {
  Bench bench;
  bench.driver.activate(bench.device);
  for (int i = 0; i < 6; ++i)
    bench.driver.add(0, {}, {64 * 1024});
  bench.driver.publish(0);
  bench.device.process(0);
  bool done = false;
  bench.device.suspend([&] { done = true; });
  BOOST_TEST(done);
  bench.device.process_more();
  BOOST_TEST(bench.driver.used_pending(0) == 4U);
  bench.driver.activate(bench.device);
  bench.device.process(0);
  BOOST_TEST(bench.driver.used_pending(0) == 6U);
}

BOOST_AUTO_TEST_CASE(a_broken_ring_gives_nothing_until_the_reset) {
  Bench bench;
  bench.driver.activate(bench.device);
  bench.driver.raw_available_index(0, 1000);
  bench.device.process(0);
  BOOST_TEST(bench.driver.queue(0).broken());
  BOOST_TEST(bench.driver.used_pending(0) == 0U);
  BOOST_TEST(bench.later == 0U);
  bench.driver.raw_available_index(0, 0);
  bench.device.reset([] {});
  bench.driver.activate(bench.device);
  bench.device.process(0);
  BOOST_TEST(bench.ask({16}).written == 16U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::rng
