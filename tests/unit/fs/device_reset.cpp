#include <fcntl.h>

#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/device_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

const Bytes& statfs_request() {
  static const Bytes request = make_request(FUSE_STATFS, 1, {});
  return request;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_device_reset)

BOOST_AUTO_TEST_CASE(requests_that_end_together_make_one_interrupt) {
  ManualBench bench;
  bench.send_init();
  bench.executor->run_all();
  bench.next();
  bench.driver.interrupt().take(FsDevice::kRequestQueue);
  for (int i = 0; i < 10; ++i) {
    bench.driver.send(FsDevice::kRequestQueue, {statfs_request()}, {4096});
  }
  bench.device->process(FsDevice::kRequestQueue);
  BOOST_TEST(bench.executor->pending() == 20U);
  bench.executor->run_all();
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(bench.next()->error == 0);
  // The manual executor calls back after each piece of work, so here each is on its own, unless
  // the driver asks for none.
  BOOST_TEST(bench.driver.interrupt().take(FsDevice::kRequestQueue) >= 1U);
}

BOOST_AUTO_TEST_CASE(no_more_is_taken_than_the_queue_holds) {
  ManualBench bench({}, {8, 8});
  const auto head = bench.driver.send(FsDevice::kRequestQueue, {statfs_request()}, {100});
  bench.device->process(FsDevice::kRequestQueue);
  // A driver that breaks the rules makes the same chain available again and again.
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 8; ++i)
      bench.driver.raw_add(FsDevice::kRequestQueue, head);
    bench.driver.publish(FsDevice::kRequestQueue);
    bench.device->process(FsDevice::kRequestQueue);
    BOOST_TEST(bench.executor->pending() <= 16U);
  }
  bench.executor->run_all();
  BOOST_TEST(bench.executor->pending() == 0U);
}

BOOST_AUTO_TEST_CASE(what_waits_behind_a_full_queue_is_taken_without_another_kick) {
  ManualBench bench({.indirect = true}, {8, 8});
  bench.send_init();
  bench.executor->run_all();
  bench.next();
  int answers = 0;
  for (int i = 0; i < 8; ++i) {
    bench.driver.send(FsDevice::kRequestQueue, {statfs_request()}, {4096});
  }
  bench.device->process(FsDevice::kRequestQueue);
  bench.executor->step();
  bench.executor->step();
  while (bench.next())
    ++answers;
  bench.driver.send(FsDevice::kRequestQueue, {statfs_request()}, {4096});
  bench.device->process(FsDevice::kRequestQueue);
  bench.executor->run_all();
  while (bench.next())
    ++answers;
  BOOST_TEST(answers == 9);
}

BOOST_AUTO_TEST_CASE(a_reset_answers_what_is_in_flight_and_then_ends) {
  ManualBench bench;
  bench.send_init();
  bench.send({statfs_request()}, {4096});
  int ended = 0;
  bench.device->reset([&] { ++ended; });
  bench.device->reset([&] { ++ended; });
  BOOST_TEST(ended == 0);
  bench.driver.send(FsDevice::kRequestQueue, {statfs_request()}, {4096});
  bench.device->process(FsDevice::kRequestQueue);
  bench.executor->run_all();
  BOOST_TEST(ended == 2);
  BOOST_TEST(bench.next()->error == 0);
  BOOST_TEST(bench.next()->error == 0);
  BOOST_TEST(!bench.next().has_value());
  BOOST_TEST(bench.executor->pending() == 0U);
}

BOOST_AUTO_TEST_CASE(a_reset_of_an_inactive_device_ends_at_once) {
  ManualBench bench;
  bench.device->reset([] {});
  bench.executor->run_all();
  bool ended = false;
  bench.device->reset([&] { ended = true; });
  BOOST_TEST(ended);
  bench.device->process(FsDevice::kRequestQueue);
  BOOST_TEST(bench.executor->pending() == 0U);
}

BOOST_AUTO_TEST_CASE(after_a_reset_the_guest_starts_anew) {
  InlineBench bench;
  bench.file("a", "");
  bench.send_init();
  bench.next();
  bench.send({make_request(FUSE_LOOKUP, 1, Args().text("a"))}, {4096});
  const auto node = bench.next()->as<fuse_entry_out>().nodeid;
  bench.device->reset([] {});
  bench.driver.activate(*bench.device);
  bench.send({statfs_request()}, {4096});
  BOOST_TEST(bench.next()->error == EIO);
  bench.send_init();
  BOOST_TEST(bench.next()->error == 0);
  bench.send({make_request(FUSE_GETATTR, node, Args().put(fuse_getattr_in{}))}, {4096});
  BOOST_TEST(bench.next()->error == ESTALE);
}

BOOST_AUTO_TEST_CASE(a_suspension_answers_what_is_in_flight_and_keeps_the_session) {
  ManualBench bench;
  bench.file("a", "hello");
  bench.send_init();
  bench.send({make_request(FUSE_LOOKUP, 1, Args().text("a"))}, {4096});
  bench.executor->run_all();
  bench.next();
  const auto node = bench.next()->as<fuse_entry_out>().nodeid;
  bench.send({make_request(FUSE_OPEN, node, Args().put(fuse_open_in{O_RDONLY, 0}))}, {4096});
  bool at_rest = false;
  bench.device->suspend([&] { at_rest = true; });
  BOOST_TEST(!at_rest);
  bench.executor->step();
  BOOST_TEST(!at_rest);
  bench.executor->step();
  BOOST_TEST(at_rest);
  BOOST_TEST(bench.executor->pending() == 0U);
  const auto handle = bench.next()->as<fuse_open_out>().fh;
  bench.device->process(FsDevice::kRequestQueue);

  bench.driver.activate(*bench.device);
  fuse_read_in read{};
  read.fh = handle;
  read.size = 100;
  bench.send({make_request(FUSE_READ, node, Args().put(read))}, {4096});
  bench.executor->run_all();
  BOOST_TEST(bench.next()->text() == "hello");
}

BOOST_AUTO_TEST_CASE(a_reset_forgets_a_session_that_is_suspended_or_about_to_be) {
  for (const bool in_flight : {false, true}) {
    ManualBench bench;
    bench.send_init();
    bench.executor->run_all();
    bench.next();
    if (in_flight) bench.send({statfs_request()}, {4096});
    int ended = 0;
    bench.device->suspend([&] { ++ended; });
    BOOST_TEST(ended == (in_flight ? 0 : 1));
    bench.device->reset([&] { ++ended; });
    BOOST_TEST(ended == (in_flight ? 0 : 1));
    bench.executor->run_all();
    BOOST_TEST(ended == 2);
    if (in_flight) BOOST_TEST(bench.next()->error == 0);

    bench.driver.activate(*bench.device);
    bench.send({statfs_request()}, {4096});
    bench.executor->run_all();
    BOOST_TEST(bench.next()->error == EIO);
  }
}

BOOST_AUTO_TEST_CASE(a_device_may_go_while_its_requests_are_carried_out) {
  ManualBench bench;
  bench.send_init();
  bench.send({statfs_request()}, {4096});
  bench.executor->step();
  bench.device.reset();
  bench.executor->run_all();
  BOOST_TEST(bench.executor->pending() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
