#include <limits>
#include <tests/unit/virtio_balloon/bench.hpp>

namespace capsa::virtio::balloon::test {

namespace {

Bytes word(std::uint32_t value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

std::uint32_t config(const BalloonDevice& device, std::size_t offset) {
  std::uint32_t value = 0xeeee'eeee;
  device.read_config(offset, std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_balloon_device)

BOOST_AUTO_TEST_CASE(what_is_offered_follows_the_options) {
  const Bench all;
  BOOST_TEST(all.device.identity().type == 5U);
  BOOST_TEST(all.device.identity().queue_sizes.size() == 3U);
  BOOST_TEST(all.device.identity().config_size == 8U);
  BOOST_TEST((all.device.identity().features & 0x3f) == 0x24U);
  const Bench least({.deflate_on_oom = false, .reporting = false});
  BOOST_TEST(least.device.identity().queue_sizes.size() == 2U);
  BOOST_TEST((least.device.identity().features & 0x3f) == 0U);
}

BOOST_AUTO_TEST_CASE(inflating_gives_the_pages_to_the_host) {
  for (const bool event_idx : {false, true}) {
    for (const bool indirect : {false, true}) {
      Bench bench({}, {.event_idx = event_idx, .indirect = indirect});
      bench.boot();
      const auto address = bench.touched(8);
      const auto page = page_of(address);
      const auto before = bench.pages_in_use();
      // Downwards, with a gap.
      bench.name(0, {page + 6, page + 5, page + 2, page + 1, page});
      BOOST_TEST(bench.device.stats().inflated == 5U);
      BOOST_TEST(bench.driver.pop_used(0).has_value());
      BOOST_TEST(bench.driver.interrupt().take(0) == 1U);
      BOOST_TEST(before - bench.pages_in_use() <= 5U);
      BOOST_TEST(before - bench.pages_in_use() >= 4U);  // the numbers took a page, perhaps
      BOOST_TEST(bench.byte_at(address) == 0);
      BOOST_TEST(bench.byte_at(address + 3 * kPage) == 0x77);
      BOOST_TEST(bench.byte_at(address + 7 * kPage) == 0x77);
    }
  }
}

BOOST_AUTO_TEST_CASE(deflating_gives_the_chain_back_and_touches_nothing) {
  Bench bench;
  bench.boot();
  const auto address = bench.touched(1);
  bench.name(1, {page_of(address)});
  BOOST_TEST(bench.driver.pop_used(1).has_value());
  BOOST_TEST(bench.byte_at(address) == 0x77);
  BOOST_TEST(bench.device.stats().inflated == 0U);
}

BOOST_AUTO_TEST_CASE(pages_that_are_not_the_guests_are_refused_and_others_go) {
  Bench bench;
  bench.boot();
  const auto address = bench.touched(1);
  bench.name(0, {0, 0xffff'ffff, page_of(address), 0x8000'0000, 0xffff'fffe});
  BOOST_TEST(bench.device.stats().inflated == 1U);
  BOOST_TEST(bench.device.stats().refused == 4U);
  BOOST_TEST(bench.byte_at(address) == 0);
  BOOST_TEST(bench.driver.pop_used(0).has_value());
}

BOOST_AUTO_TEST_CASE(a_page_number_in_two_buffers_counts_and_half_a_one_does_not) {
  Bench bench;
  bench.boot();
  const auto address = bench.touched(2);
  const Bytes numbers = Bench::numbers({page_of(address), page_of(address) + 1});
  bench.driver.send_to(bench.device, 0,
                       {Bytes(numbers.begin(), numbers.begin() + 3),
                        Bytes(numbers.begin() + 3, numbers.begin() + 7)});
  BOOST_TEST(bench.device.stats().inflated == 1U);
  BOOST_TEST(bench.byte_at(address) == 0);
  BOOST_TEST(bench.byte_at(address + kPage) == 0x77);
}

BOOST_AUTO_TEST_CASE(empty_chains_and_writable_ones_name_nothing) {
  Bench bench;
  bench.boot();
  for (const QueueIndex queue : {0, 1}) {
    bench.driver.send_to(bench.device, queue, {{}});
    bench.driver.send_to(bench.device, queue, {}, {4096});
    BOOST_TEST(bench.driver.used_pending(queue) == 2U);
    BOOST_TEST(bench.driver.pop_used(queue)->written == 0U);
  }
  BOOST_TEST(bench.device.stats().inflated == 0U);
  BOOST_TEST(bench.device.stats().refused == 0U);
}

BOOST_AUTO_TEST_CASE(a_chain_of_many_pages_takes_several_turns) {
  for (const bool event_idx : {false, true}) {
    Bench bench({}, {.event_idx = event_idx});
    bench.boot();
    const auto address = bench.touched(2500);
    std::vector<PageNumber> pages;
    for (std::uint32_t i = 0; i < 2500; ++i)
      pages.push_back(page_of(address) + 2499 - i);
    bench.name(0, pages);
    BOOST_TEST(bench.device.stats().inflated == 1024U);
    BOOST_TEST(bench.driver.used_pending(0) == 0U);
    BOOST_TEST(bench.later == 1U);
    bench.device.process_more();
    BOOST_TEST(bench.later == 2U);
    bench.device.process_more();
    BOOST_TEST(bench.device.stats().inflated == 2500U);
    BOOST_TEST(bench.later == 2U);
    BOOST_TEST(bench.driver.pop_used(0).has_value());
    bench.device.process_more();
    BOOST_TEST(bench.later == 2U);
    // And kicks are asked for again.
    bench.name(0, {page_of(address)});
    BOOST_TEST(bench.driver.pop_used(0).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_suspended_device_begins_the_chain_anew) {
  Bench bench;
  bench.boot();
  const auto address = bench.touched(1500);
  std::vector<PageNumber> pages;
  for (std::uint32_t i = 0; i < 1500; ++i)
    pages.push_back(page_of(address) + i);
  bench.name(0, pages);
  BOOST_TEST(bench.device.stats().inflated == 1024U);
  bool done = false;
  bench.device.suspend([&] { done = true; });
  BOOST_TEST(done);
  bench.device.process_more();
  BOOST_TEST(bench.device.stats().inflated == 1024U);
  bench.boot();
  bench.device.process_more();
  BOOST_TEST(bench.device.stats().inflated == 1024U + 1500U);
  BOOST_TEST(bench.byte_at(address + 1499 * kPage) == 0);
  BOOST_TEST(bench.driver.pop_used(0).has_value());
}

BOOST_AUTO_TEST_CASE(a_chain_that_shrank_while_it_waited_does_no_harm) {
  Bench bench;
  bench.boot();
  bench.name(0, std::vector<PageNumber>(1500, 0));
  auto descriptor = bench.driver.raw_descriptor(0, 0);
  descriptor.length = 8;
  bench.driver.raw_descriptor(0, 0, descriptor);
  bench.device.process_more();
  BOOST_TEST(bench.driver.pop_used(0).has_value());
  const auto address = bench.touched(1);
  bench.name(0, {page_of(address)});
  BOOST_TEST(bench.byte_at(address) == 0);
}

BOOST_AUTO_TEST_CASE(a_target_is_news_for_a_driver_that_is_there) {
  Bench bench;
  bench.device.set_target(100);
  BOOST_TEST(config(bench.device, 0) == 100U);
  bench.boot();
  BOOST_TEST(bench.interrupt.changes == 1U);
  bench.device.set_target(100);
  BOOST_TEST(bench.interrupt.changes == 1U);
  bench.device.set_target(200);
  BOOST_TEST(bench.interrupt.changes == 2U);
  bench.device.suspend([] {});
  bench.device.set_target(300);
  BOOST_TEST(bench.interrupt.changes == 2U);
  bench.boot();
  BOOST_TEST(bench.interrupt.changes == 3U);
  bench.device.reset([] {});
  BOOST_TEST(bench.device.target() == 300U);
}

BOOST_AUTO_TEST_CASE(the_driver_writes_what_it_has_and_nothing_else) {
  Bench bench;
  bench.device.set_target(7);
  bench.device.write_config(4, word(0x1234'5678));
  BOOST_TEST(bench.device.actual() == 0x1234'5678U);
  BOOST_TEST(config(bench.device, 4) == 0x1234'5678U);
  bench.device.write_config(5, Bytes{std::byte{0xaa}});
  BOOST_TEST(bench.device.actual() == 0x1234'aa78U);
  bench.device.write_config(0, Bytes(8, std::byte{0x11}));
  BOOST_TEST(bench.device.actual() == 0x1111'1111U);
  BOOST_TEST(bench.device.target() == 7U);
  bench.device.write_config(0, Bytes(4, std::byte{0x22}));
  bench.device.write_config(8, Bytes(4, std::byte{0x22}));
  bench.device.write_config(std::numeric_limits<std::size_t>::max(), Bytes(8, std::byte{0x22}));
  BOOST_TEST(bench.device.actual() == 0x1111'1111U);
  BOOST_TEST(config(bench.device, 8) == 0U);
  BOOST_TEST(config(bench.device, 6) == 0x1111U);
}

BOOST_AUTO_TEST_CASE(suspend_remembers_what_the_driver_has_and_reset_does_not) {
  Bench bench;
  bench.boot();
  bench.device.write_config(4, word(12));
  bench.device.suspend([] {});
  BOOST_TEST(bench.device.actual() == 12U);
  bench.boot();
  bool done = false;
  bench.device.reset([&] { done = true; });
  BOOST_TEST(done);
  BOOST_TEST(bench.device.actual() == 0U);
  BOOST_TEST(!bench.device.active());
}

BOOST_AUTO_TEST_CASE(kicks_before_activation_and_to_unknown_queues_are_ignored) {
  Bench bench;
  bench.driver.send(0, {Bench::numbers({1})});
  for (QueueIndex queue = 0; queue < 5; ++queue)
    bench.device.process(queue);
  bench.device.process_more();
  bench.driver.activate(bench.device, 0, 1);
  BOOST_TEST(!bench.device.active());
  bench.boot();
  BOOST_TEST(bench.driver.used_pending(0) == 1U);
  bench.device.process(3);
  bench.device.process(0xffff);
}

BOOST_AUTO_TEST_CASE(a_broken_ring_ends_its_queue_and_no_other) {
  Bench bench;
  bench.boot();
  bench.driver.raw_available_index(0, 1000);
  bench.device.process(0);
  BOOST_TEST(bench.driver.queue(0).broken());
  bench.name(1, {1});
  BOOST_TEST(bench.driver.pop_used(1).has_value());
}

BOOST_AUTO_TEST_CASE(a_guest_may_give_away_the_page_its_ring_lies_in) {
  Bench bench;
  bench.boot();
  bench.name(0, {page_of(bench.driver.ring(0).descriptors)});
  BOOST_TEST(bench.device.stats().inflated == 1U);
  bench.device.process(0);
  bench.device.process(1);
  bench.device.process(2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::balloon::test
