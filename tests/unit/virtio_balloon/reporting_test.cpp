#include <tests/unit/virtio_balloon/bench.hpp>

namespace capsa::virtio::balloon::test {

using capsa::test::kRawNext;
using capsa::test::kRawWrite;

BOOST_AUTO_TEST_SUITE(virtio_balloon_reporting)

BOOST_AUTO_TEST_CASE(reported_pages_go_to_the_host_and_come_back_zeroed) {
  for (const bool event_idx : {false, true}) {
    Bench bench({}, {.event_idx = event_idx});
    bench.boot();
    const auto address = bench.touched(1024);
    const auto before = bench.pages_in_use();
    bench.report(address + kPage, 1022 * kPage);
    BOOST_TEST(bench.device.stats().reported == 1022 * kPage);
    BOOST_TEST(bench.driver.used_pending(2) == 1U);
    BOOST_TEST(bench.driver.pop_used(2)->written == 0U);
    BOOST_TEST(before - bench.pages_in_use() == 1022U);
    BOOST_TEST(bench.byte_at(address + kPage - 1) == 0x77);
    BOOST_TEST(bench.byte_at(address + kPage) == 0);
    BOOST_TEST(bench.byte_at(address + 1023 * kPage) == 0x77);
    BOOST_TEST(bench.driver.memory()->store<std::uint8_t>(address + kPage, 5));
    BOOST_TEST(bench.byte_at(address + kPage) == 5);
  }
}

BOOST_AUTO_TEST_CASE(a_chain_of_several_blocks_goes_whole) {
  Bench bench;
  bench.boot();
  const auto address = bench.touched(32);
  for (std::uint16_t i = 0; i < 8; ++i)
    bench.driver.raw_descriptor(2, i,
                                {address + 4 * i * kPage, 2 * kPage,
                                 static_cast<std::uint16_t>(kRawWrite | (i < 7 ? kRawNext : 0)),
                                 static_cast<std::uint16_t>(i + 1)});
  bench.driver.raw_add(2, 0);
  bench.kick(2);
  BOOST_TEST(bench.device.stats().reported == 16 * kPage);
  for (std::uint64_t i = 0; i < 32; ++i)
    BOOST_TEST(bench.byte_at(address + i * kPage) == (i % 4 < 2 ? 0 : 0x77));
}

BOOST_AUTO_TEST_CASE(only_whole_pages_inside_a_buffer_go) {
  Bench bench;
  bench.boot();
  const auto address = bench.touched(4);
  bench.report(address + 1, static_cast<std::uint32_t>(3 * kPage));
  BOOST_TEST(bench.device.stats().reported == 2 * kPage);
  BOOST_TEST(bench.byte_at(address) == 0x77);
  BOOST_TEST(bench.byte_at(address + kPage) == 0);
  BOOST_TEST(bench.byte_at(address + 3 * kPage) == 0x77);
  bench.driver.pop_used(2);
  bench.report(address + 3 * kPage + 5, 100);
  BOOST_TEST(bench.device.stats().reported == 2 * kPage);
  BOOST_TEST(bench.byte_at(address + 3 * kPage + 5) == 0x77);
  BOOST_TEST(bench.driver.pop_used(2).has_value());
}

BOOST_AUTO_TEST_CASE(readable_and_empty_buffers_report_nothing) {
  Bench bench;
  bench.boot();
  const auto address = bench.touched(1);
  bench.driver.raw_descriptor(2, 0, {address, static_cast<std::uint32_t>(kPage), 0, 0});
  bench.driver.raw_add(2, 0);
  bench.kick(2);
  BOOST_TEST(bench.driver.pop_used(2).has_value());
  bench.report(address, 0);
  BOOST_TEST(bench.driver.pop_used(2).has_value());
  BOOST_TEST(bench.byte_at(address) == 0x77);
  BOOST_TEST(bench.device.stats().reported == 0U);
}

BOOST_AUTO_TEST_CASE(a_large_report_takes_several_turns_and_comes_back_at_its_end) {
  Bench bench({}, {.memory_mib = 200});
  bench.boot();
  const std::uint32_t length = 150 * 1024 * 1024;
  const auto address = bench.driver.allocator().allocate(length, kPage);
  for (std::uint64_t at = 0; at < length; at += length / 4)
    BOOST_TEST(bench.driver.memory()->store<std::uint8_t>(address + at, 0x77));
  bench.report(address, length);
  BOOST_TEST(bench.device.stats().reported == BalloonDevice::kReportedPerTurn);
  BOOST_TEST(bench.driver.used_pending(2) == 0U);
  BOOST_TEST(bench.later == 1U);
  bench.device.process_more();
  bench.device.process_more();
  BOOST_TEST(bench.device.stats().reported == length);
  BOOST_TEST(bench.later == 2U);
  BOOST_TEST(bench.driver.used_pending(2) == 1U);
  for (std::uint64_t at = 0; at < length; at += length / 4)
    BOOST_TEST(bench.byte_at(address + at) == 0);
}

BOOST_AUTO_TEST_CASE(many_small_pieces_count_as_calls_of_the_kernel) {
  // Indirect, as a ring of 128 cannot hold so many: a table of 1024 buffers, twice.
  Bench bench({}, {.memory_mib = 32, .indirect = true});
  bench.boot();
  const auto address = bench.touched(1);
  const auto table = bench.driver.allocator().allocate(1024 * 16);
  for (std::uint16_t i = 0; i < 1024; ++i)
    bench.driver.memory()->store(
        table + 16ULL * i, capsa::test::RawDescriptor{
                               address, static_cast<std::uint32_t>(kPage),
                               static_cast<std::uint16_t>(kRawWrite | (i < 1023 ? kRawNext : 0)),
                               static_cast<std::uint16_t>(i + 1)});
  for (std::uint16_t i = 0; i < 2; ++i) {
    bench.driver.raw_descriptor(2, i, {table, 1024 * 16, capsa::test::kRawIndirect, 0});
    bench.driver.raw_add(2, i);
  }
  bench.kick(2);
  BOOST_TEST(bench.device.stats().reported == 1024 * kPage);
  BOOST_TEST(bench.driver.used_pending(2) == 1U);
  BOOST_TEST(bench.later == 1U);
  bench.device.process_more();
  BOOST_TEST(bench.driver.used_pending(2) == 2U);
}

BOOST_AUTO_TEST_CASE(a_driver_that_did_not_agree_reports_nothing) {
  Bench bench;
  bench.boot(0);
  const auto address = bench.touched(1);
  bench.report(address, static_cast<std::uint32_t>(kPage));
  bench.device.process(2);
  BOOST_TEST(bench.driver.used_pending(2) == 0U);
  BOOST_TEST(bench.byte_at(address) == 0x77);
}

BOOST_AUTO_TEST_CASE(a_driver_that_agreed_and_has_no_such_queue_is_served_without) {
  Bench bench;
  bench.driver.activate(bench.device, kFeatureReporting, 2);
  bench.device.process(2);
  const auto address = bench.touched(1);
  bench.name(0, {page_of(address)});
  BOOST_TEST(bench.byte_at(address) == 0);
}

BOOST_AUTO_TEST_CASE(a_reset_in_the_middle_of_a_report_forgets_how_far_it_had_got) {
  Bench bench({}, {.memory_mib = 128});
  bench.boot();
  const std::uint32_t length = 100 * 1024 * 1024;
  const auto address = bench.driver.allocator().allocate(length, kPage);
  bench.report(address, length);
  bench.device.reset([] {});
  bench.device.process_more();
  bench.boot();
  bench.device.process_more();
  BOOST_TEST(bench.device.stats().reported == BalloonDevice::kReportedPerTurn + length);
  BOOST_TEST(bench.driver.used_pending(2) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::balloon::test
