#include <tests/unit/virtio_block/bench.hpp>

namespace capsa::virtio::blk::test {

BOOST_AUTO_TEST_SUITE(virtio_block_reset)

BOOST_AUTO_TEST_CASE(a_reset_answers_what_is_in_flight_and_then_ends) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_OUT), pattern(1, 3)}, {1});
  bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
  int ended = 0;
  bench.device->reset([&] { ++ended; });
  bench.device->reset([&] { ++ended; });
  bench.add({header(VIRTIO_BLK_T_FLUSH)}, {1});
  bench.device->process(0);
  BOOST_TEST(bench.store->in_flight() == 2U);
  bench.store->finish();
  bench.store->end_batch();
  BOOST_TEST(ended == 0);
  bench.store->finish_all();
  BOOST_TEST(ended == 2);
  BOOST_TEST(bench.driver->interrupt().count(0) >= 1U);
  BOOST_TEST(bench.next()->status == VIRTIO_BLK_S_OK);
  BOOST_TEST(bench.next()->status == VIRTIO_BLK_S_OK);
  BOOST_TEST(!bench.next().has_value());
}

BOOST_AUTO_TEST_CASE(a_suspended_device_goes_on_where_it_stopped) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_OUT, 4), pattern(1, 3)}, {1});
  bool at_rest = false;
  bench.device->suspend([&] { at_rest = true; });
  BOOST_TEST(!at_rest);
  bench.add({header(VIRTIO_BLK_T_IN, 4)}, {512, 1});
  bench.store->finish_all();
  BOOST_TEST(at_rest);
  BOOST_TEST(bench.next()->status == VIRTIO_BLK_S_OK);
  bench.driver->activate(*bench.device, kAllFeatures);
  bench.device->process(0);
  bench.store->finish_all();
  const auto answer = bench.next();
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(std::equal(answer->data.begin(), answer->data.begin() + 512, pattern(1, 3).begin()));
}

BOOST_AUTO_TEST_CASE(a_suspension_between_completion_and_batch_end_loses_no_interrupt) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
  bench.driver->interrupt().take(0);
  bench.store->finish();
  bool at_rest = false;
  bench.device->suspend([&] { at_rest = true; });
  BOOST_TEST(at_rest);
  BOOST_TEST(bench.driver->interrupt().take(0) == 1U);
  bench.store->end_batch();
}

BOOST_AUTO_TEST_CASE(a_reset_of_an_inactive_device_ends_at_once) {
  BlkBench bench;
  bench.device->reset([] {});
  bool ended = false;
  bench.device->reset([&] { ended = true; });
  BOOST_TEST(ended);
  bench.add({header(VIRTIO_BLK_T_FLUSH)}, {1});
  bench.device->process(0);
  BOOST_TEST(bench.store->in_flight() == 0U);
}

BOOST_AUTO_TEST_CASE(a_device_may_go_when_its_reset_ends) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
  bool ended = false;
  bench.device->reset([&] {
    ended = true;
    bench.device.reset();
  });
  bench.store->finish_all();
  BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(a_device_may_start_again_when_its_reset_ends) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
  bench.device->reset([&] { bench.driver->activate(*bench.device, kAllFeatures); });
  bench.store->finish_all();
  BOOST_TEST(bench.next()->status == VIRTIO_BLK_S_OK);
  BOOST_TEST(bench.status_of({header(VIRTIO_BLK_T_FLUSH)}, {1}) == VIRTIO_BLK_S_OK);
}

BOOST_AUTO_TEST_CASE(a_closed_store_fails_what_comes_after) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_OUT), pattern(1, 1)}, {1});
  bool closed = false;
  bench.device->store().close([&] { closed = true; });
  bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
  BOOST_TEST(!closed);
  bench.store->finish_all();
  BOOST_TEST(closed);
  BOOST_TEST(bench.next()->status == VIRTIO_BLK_S_OK);
  BOOST_TEST(bench.next()->status == VIRTIO_BLK_S_IOERR);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::blk::test
