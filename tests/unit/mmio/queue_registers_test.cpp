#include <tests/unit/mmio/fixture.hpp>

using namespace capsa;                // NOLINT: this is a test
using namespace capsa::virtio::mmio;  // NOLINT

namespace {

struct Setup : test::MmioFixture {
  void agree() {
    on_vcpu([&] { driver.hello(); });
    BOOST_REQUIRE(driver.agree(virtio::kFeatureVersion1));
  }
  void set_queues(virtio::QueueIndex count) {
    for (virtio::QueueIndex i = 0; i < count; ++i)
      driver.set_queue(i, guest.ring(i));
  }
  bool go() {
    bool runs = false;
    on_vcpu([&] { runs = driver.go(); });
    return runs;
  }
  bool ready(std::uint32_t queue) {
    driver.write(Register::QueueSelect, queue);
    return driver.read(Register::QueueReady) != 0;
  }
  void expect_needs_reset() {
    BOOST_TEST((driver.status() & kStatusNeedsReset) != 0U);
    BOOST_TEST(interrupted());
    BOOST_TEST(driver.read(Register::InterruptStatus) == kInterruptConfig);
    BOOST_TEST(device.activations == 0);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(mmio_queue_registers, Setup)

BOOST_AUTO_TEST_CASE(each_queue_tells_its_largest_size_and_others_none) {
  for (const std::uint32_t queue : {0U, 1U, 2U}) {
    driver.write(Register::QueueSelect, queue);
    BOOST_TEST(driver.read(Register::QueueSizeMax) == 16U);
  }
  for (const std::uint32_t queue : {3U, 0xffffU, 0x1'0000U, 0xffff'ffffU}) {
    driver.write(Register::QueueSelect, queue);
    BOOST_TEST(driver.read(Register::QueueSizeMax) == 0U);
    BOOST_TEST(driver.read(Register::QueueReady) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_queue_cannot_be_set_up_before_features_are_agreed) {
  on_vcpu([&] { driver.hello(); });
  driver.set_queue(0, guest.ring(0));
  BOOST_TEST(!ready(0));
}

BOOST_AUTO_TEST_CASE(a_queue_that_is_ready_does_not_change) {
  agree();
  set_queues(2);
  BOOST_TEST(ready(0));
  auto elsewhere = guest.ring(5);
  elsewhere.descriptors += 1;
  driver.set_queue(0, elsewhere);
  BOOST_REQUIRE(go());
  BOOST_TEST(echo(0, 0, "where it was") == "where it was");
}

BOOST_AUTO_TEST_CASE(a_queue_can_be_taken_back_and_set_up_anew_before_the_device_runs) {
  agree();
  set_queues(2);
  driver.write(Register::QueueSelect, 0);
  driver.write(Register::QueueReady, 0);
  BOOST_TEST(!ready(0));
  driver.set_queue(0, guest.ring(4));
  BOOST_REQUIRE(go());
  BOOST_TEST(echo(0, 4, "the other ring") == "the other ring");
}

BOOST_AUTO_TEST_CASE(queues_do_not_change_while_the_device_runs) {
  start();
  driver.write(Register::QueueSelect, 0);
  driver.write(Register::QueueReady, 0);
  BOOST_TEST(ready(0));
  driver.set_queue(0, guest.ring(5));
  BOOST_TEST(echo(0, 0, "as before") == "as before");
}

BOOST_AUTO_TEST_CASE(writes_to_queues_that_are_not_there_are_ignored) {
  agree();
  for (const std::uint32_t queue : {3U, 0x1'0000U, 0xffff'ffffU}) {
    driver.write(Register::QueueSelect, queue);
    driver.write(Register::QueueSize, 16);
    driver.write(Register::QueueReady, 1);
    BOOST_TEST(driver.read(Register::QueueReady) == 0U);
    driver.write(Register::QueueNotify, queue);
  }
}

BOOST_AUTO_TEST_CASE(only_one_makes_a_queue_ready) {
  agree();
  driver.write(Register::QueueSelect, 0);
  driver.write(Register::QueueReady, 2);
  BOOST_TEST(!ready(0));
}

BOOST_AUTO_TEST_CASE(a_queue_that_the_device_can_do_without_may_be_left_out) {
  agree();
  set_queues(2);
  BOOST_REQUIRE(go());
  BOOST_TEST(device.active->queues.size() == 2U);
  kick(2);
  loop.run_ready();
  BOOST_TEST(echo(1, 1, "y") == "y");
}

BOOST_AUTO_TEST_CASE(a_queue_that_the_device_needs_may_not) {
  agree();
  set_queues(1);
  BOOST_TEST(!go());
  expect_needs_reset();
}

BOOST_AUTO_TEST_CASE(sizes_that_make_no_sense_leave_the_device_unstarted) {
  for (const std::uint32_t size : {0U, 3U, 32U, 4096U, 8192U, 0x1'0000U, 0x1'0010U, 0xffff'ffffU}) {
    BOOST_TEST_CONTEXT("size " << size) {
      agree();
      set_queues(1);
      const auto& ring = guest.ring(1);
      driver.write(Register::QueueSelect, 1);
      driver.write(Register::QueueSize, size);
      driver.write(Register::QueueDescriptorsLow, static_cast<std::uint32_t>(ring.descriptors));
      driver.write(Register::QueueAvailableLow, static_cast<std::uint32_t>(ring.available));
      driver.write(Register::QueueUsedLow, static_cast<std::uint32_t>(ring.used));
      driver.write(Register::QueueReady, 1);
      BOOST_TEST(!go());
      expect_needs_reset();
    }
  }
}

BOOST_AUTO_TEST_CASE(rings_outside_of_memory_leave_the_device_unstarted) {
  agree();
  set_queues(1);
  auto ring = guest.ring(1);
  ring.used = 0xffff'ffff'ffff'fffc;
  driver.set_queue(1, ring);
  BOOST_TEST(!go());
  expect_needs_reset();
}

BOOST_AUTO_TEST_CASE(a_device_that_needs_a_reset_runs_after_one) {
  agree();
  BOOST_TEST(!go());
  expect_needs_reset();
  write_on_vcpu(Register::Status, 0);
  BOOST_TEST(driver.read(Register::InterruptStatus) == 0U);
  start();
  BOOST_TEST(echo(0, 0, "at last") == "at last");
}

BOOST_AUTO_TEST_SUITE_END()
