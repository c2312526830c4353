#include <tests/unit/virtio_block/bench.hpp>

namespace capsa::virtio::blk::test {

BOOST_AUTO_TEST_SUITE(virtio_block_device)

BOOST_AUTO_TEST_CASE(requests_complete_in_any_order) {
  BlkBench bench;
  const auto first = bench.send({header(VIRTIO_BLK_T_IN, 1)}, {512, 1});
  const auto second = bench.send({header(VIRTIO_BLK_T_IN, 2)}, {512, 1});
  const auto third = bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
  BOOST_REQUIRE(bench.store->in_flight() == 3U);
  for (int i = 0; i < 3; ++i)
    bench.store->finish(bench.store->in_flight() - 1);
  bench.store->end_batch();
  BOOST_TEST(bench.next()->head == third);
  BOOST_TEST(bench.next()->head == second);
  BOOST_TEST(bench.next()->head == first);
}

BOOST_AUTO_TEST_CASE(a_pass_is_one_batch_and_its_completions_one_interrupt) {
  BlkBench bench;
  for (int i = 0; i < 10; ++i)
    bench.add({header(VIRTIO_BLK_T_IN)}, {512, 1});
  const auto before = bench.store->submits();
  bench.device->process(0);
  BOOST_TEST(bench.store->in_flight() == 10U);
  BOOST_TEST(bench.store->submits() == before + 1);
  for (int i = 0; i < 10; ++i)
    bench.store->finish();
  BOOST_TEST(bench.driver->interrupt().count(0) == 0U);
  bench.store->end_batch();
  BOOST_TEST(bench.driver->interrupt().take(0) == 1U);
  BOOST_TEST(bench.driver->used_pending(0) == 10U);
}

BOOST_AUTO_TEST_CASE(a_driver_that_wants_no_interrupts_gets_none) {
  for (const bool event_idx : {false, true}) {
    BlkBench bench(small_disk(), {}, {.event_idx = event_idx});
    bench.ask({header(VIRTIO_BLK_T_FLUSH)}, {1});
    bench.driver->interrupt().take(0);
    bench.driver->want_interrupts(0, false);
    bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
    bench.store->finish_all();
    BOOST_TEST(bench.driver->used_pending(0) == 1U);
    BOOST_TEST(bench.driver->interrupt().count(0) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(each_queue_is_answered_on_its_own) {
  BlkBench bench(small_disk(), {.serial = "", .queues = 2, .queue_size = 16});
  bench.send({header(VIRTIO_BLK_T_IN)}, {512, 1}, 0);
  bench.send({header(VIRTIO_BLK_T_IN)}, {512, 1}, 1);
  bench.send({header(VIRTIO_BLK_T_IN)}, {512, 1}, 1);
  bench.store->finish_all();
  BOOST_TEST(bench.driver->used_pending(0) == 1U);
  BOOST_TEST(bench.driver->used_pending(1) == 2U);
  BOOST_TEST(bench.driver->interrupt().take(0) == 1U);
  BOOST_TEST(bench.driver->interrupt().take(1) == 1U);
}

BOOST_AUTO_TEST_CASE(a_device_runs_with_fewer_queues_than_it_has) {
  BlkBench bench(small_disk(), {.serial = "", .queues = 4, .queue_size = 16});
  bench.device->reset([] {});
  bench.driver->activate(*bench.device, kAllFeatures, 1);
  bench.device->process(3);
  BOOST_TEST(bench.status_of({header(VIRTIO_BLK_T_FLUSH)}, {1}) == VIRTIO_BLK_S_OK);
}

BOOST_AUTO_TEST_CASE(no_more_is_taken_than_the_queue_holds) {
  BlkBench bench(small_disk(), {.serial = "", .queues = 1, .queue_size = 8});
  const auto head = bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
  // A driver that breaks the rules makes the same chain available again and again.
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 8; ++i)
      bench.driver->raw_add(0, head);
    bench.driver->publish(0);
    bench.device->process(0);
    BOOST_TEST(bench.store->in_flight() <= 8U);
  }
  while (bench.store->finish_all()) {
  }
  BOOST_TEST(bench.store->in_flight() == 0U);
}

BOOST_AUTO_TEST_CASE(what_waits_behind_a_full_queue_is_taken_without_another_kick) {
  BlkBench bench(small_disk(), {.serial = "", .queues = 1, .queue_size = 8}, {.indirect = true});
  for (int i = 0; i < 8; ++i)
    bench.add({header(VIRTIO_BLK_T_FLUSH)}, {1});
  bench.device->process(0);
  // Given back without being told of: then there is room for one more, and the kick is refused.
  bench.store->finish();
  BOOST_REQUIRE(bench.next().has_value());
  bench.store->started(0);
  bench.add({header(VIRTIO_BLK_T_FLUSH)}, {1});
  BOOST_TEST(bench.store->in_flight() == 7U);
  bench.store->end_batch();
  BOOST_TEST(bench.store->in_flight() == 8U);
  int answers = 0;
  bench.store->finish_all();
  while (bench.next())
    ++answers;
  BOOST_TEST(answers == 8);
}

BOOST_AUTO_TEST_CASE(slots_are_used_again) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
  const auto* first = &bench.store->started(0);
  bench.store->finish_all();
  bench.next();
  bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
  BOOST_TEST(&bench.store->started(0) == first);
}

BOOST_AUTO_TEST_CASE(what_a_disk_did_is_counted) {
  BlkBench bench;
  bench.ask({header(VIRTIO_BLK_T_OUT), pattern(2, 0)}, {1});
  bench.ask({header(VIRTIO_BLK_T_IN)}, {512, 1});
  bench.ask({header(VIRTIO_BLK_T_DISCARD), range(0, 1)}, {1});
  bench.ask({header(VIRTIO_BLK_T_WRITE_ZEROES), range(0, 1)}, {1});
  bench.ask({header(99)}, {1});
  const auto& stats = bench.device->stats();
  BOOST_TEST(stats.writes == 1U);
  BOOST_TEST(stats.written_bytes == 1024U);
  BOOST_TEST(stats.reads == 1U);
  BOOST_TEST(stats.read_bytes == 512U);
  BOOST_TEST(stats.discards == 2U);
  BOOST_TEST(stats.refused == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::blk::test
