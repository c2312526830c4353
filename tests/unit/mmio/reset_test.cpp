#include <tests/unit/mmio/fixture.hpp>

using namespace capsa;                // NOLINT: this is a test
using namespace capsa::virtio::mmio;  // NOLINT

namespace {

/// With a vCPU that waits for something.
struct Waiting : test::MmioFixture {
  ~Waiting() {
    transport->abandon();
    if (vcpu.joinable()) vcpu.join();
  }
  void begin(Register which, std::uint32_t value) {
    vcpu = std::thread([this, which, value] {
      driver.write(which, value);
      returned = true;
      loop.post([] {});
    });
  }
  bool wait_for_return() {
    return loop.run_until([&] { return returned.load(); });
  }
  void begin_slow_reset() {
    start();
    device.slow = true;
    begin(Register::Status, 0);
    BOOST_REQUIRE(loop.run_until([&] { return device.resets == 1; }));
    loop.run_ready();
  }

  std::atomic<bool> returned{false};
  std::thread vcpu;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(mmio_reset, Waiting)

BOOST_AUTO_TEST_CASE(a_reset_of_a_device_that_never_ran_does_not_trouble_it) {
  write_on_vcpu(Register::Status, 0);
  BOOST_TEST(device.resets == 0);
}

BOOST_AUTO_TEST_CASE(a_reset_clears_every_register) {
  start();
  BOOST_TEST(echo(0, 0, "x") == "x");
  write_on_vcpu(Register::Status, 0);
  BOOST_TEST(device.resets == 1);
  BOOST_TEST(driver.status() == 0U);
  BOOST_TEST(driver.read(Register::InterruptStatus) == 0U);
  for (const std::uint32_t queue : {0U, 1U, 2U}) {
    driver.write(Register::QueueSelect, queue);
    BOOST_TEST(driver.read(Register::QueueReady) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(features_of_the_last_driver_are_forgotten) {
  start();
  write_on_vcpu(Register::Status, 0);
  on_vcpu([&] { driver.add_status(kStatusAcknowledge | kStatusDriver | kStatusFeaturesOk); });
  // Nothing was agreed this time, not even VERSION_1.
  BOOST_TEST((driver.status() & kStatusFeaturesOk) == 0U);
}

BOOST_AUTO_TEST_CASE(another_driver_begins_from_the_start_of_its_rings) {
  start();
  BOOST_TEST(echo(0, 0, "one") == "one");
  write_on_vcpu(Register::Status, 0);
  start(kSecondLife);
  BOOST_TEST(device.activations == 2);
  BOOST_TEST(echo(0, kSecondLife, "two") == "two");
}

BOOST_AUTO_TEST_CASE(a_vcpu_waits_until_the_device_is_at_rest) {
  begin_slow_reset();
  // The device has not come to rest: its queues are still there, and so is who waits.
  BOOST_TEST(!returned);
  BOOST_REQUIRE(device.active.has_value());
  BOOST_TEST(device.active->queues[0].size() == 16U);
  device.finish_rest();
  BOOST_TEST(wait_for_return());
  BOOST_TEST(driver.status() == 0U);
}

BOOST_AUTO_TEST_CASE(an_abandoned_vcpu_does_not_wait_for_a_slow_device) {
  begin_slow_reset();
  transport->abandon();
  BOOST_TEST(wait_for_return());
  BOOST_TEST((device.pending_rest != nullptr));
  device.finish_rest();
}

BOOST_AUTO_TEST_CASE(an_abandoned_vcpu_does_not_wait_for_a_loop_that_does_nothing) {
  begin(Register::Status, 0);
  transport->abandon();
  // Nobody runs the loop.
  vcpu.join();
  BOOST_TEST(returned);
  BOOST_TEST(driver.status() == 0U);
}

BOOST_AUTO_TEST_CASE(a_start_that_nobody_waited_for_is_no_start_twice) {
  on_vcpu([&] {
    driver.hello();
    driver.agree(virtio::kFeatureVersion1);
    for (virtio::QueueIndex i = 0; i < 3; ++i)
      driver.set_queue(i, guest.ring(i));
  });
  transport->abandon();
  driver.add_status(kStatusDriverOk);
  BOOST_TEST((driver.status() & kStatusNeedsReset) != 0U);
  loop.run_ready();  // now the loop comes to it
  BOOST_TEST(device.activations == 1);
  driver.write(Register::Status, 0);
  loop.run_ready();
  BOOST_TEST(device.resets == 1);
}

BOOST_AUTO_TEST_CASE(closing_in_the_middle_of_a_reset_waits_for_the_device_and_not_the_guest) {
  begin_slow_reset();
  bool closed = false;
  transport->close([&] { closed = true; });
  BOOST_TEST(wait_for_return());
  BOOST_TEST(!closed);
  device.finish_rest();
  BOOST_TEST(closed);
  BOOST_TEST(device.resets == 1);
}

BOOST_AUTO_TEST_CASE(a_closed_device_is_asked_for_nothing) {
  start();
  bool closed = false;
  transport->close([&] { closed = true; });
  BOOST_TEST(closed);
  BOOST_TEST(device.resets == 1);
  const auto processed = device.processed;
  kick(0);
  on_vcpu([&] {
    driver.start(guest, kSecondLife);
    const std::byte value{1};
    transport->write(kConfigOffset, std::span(&value, 1));
  });
  BOOST_TEST(device.activations == 1);
  BOOST_TEST(device.resets == 1);
  BOOST_TEST((device.processed == processed));
  BOOST_TEST(int{device.config[0]} == 0x40);
}

BOOST_AUTO_TEST_CASE(the_link_may_go_with_the_answer_to_its_close) {
  start();
  device.slow = true;
  std::weak_ptr<Transport> seen = transport;
  transport->close([&] { transport.reset(); });
  BOOST_TEST(!seen.expired());
  device.finish_rest();
  BOOST_TEST(seen.expired());
  transport = Transport::create(loop, device);  // for the fixture's end
}

BOOST_AUTO_TEST_CASE(a_kick_before_the_device_runs_is_not_lost) {
  guest.send(0, {test::to_bytes("early")}, {5});
  kick(0);
  loop.run_ready();
  BOOST_TEST(device.processed.empty());
  start();
  const auto used = guest.pop_used(0);
  BOOST_REQUIRE(used.has_value());
  BOOST_TEST(test::to_text(used->data) == "early");
}

BOOST_AUTO_TEST_CASE(a_buffer_without_a_kick_is_found_at_the_start) {
  guest.send(2, {test::to_bytes("silent")}, {6});
  start();
  BOOST_TEST(guest.pop_used(2).has_value());
}

BOOST_AUTO_TEST_CASE(a_kick_after_a_reset_reaches_nobody) {
  start();
  write_on_vcpu(Register::Status, 0);
  const auto processed = device.processed;
  for (virtio::QueueIndex queue = 0; queue < 3; ++queue)
    kick(queue);
  loop.run_ready();
  BOOST_TEST((device.processed == processed));
}

BOOST_AUTO_TEST_CASE(a_kick_by_way_of_the_register_counts_as_well) {
  start();
  guest.send(1, {test::to_bytes("z")}, {1});
  driver.kick(1);
  loop.run_ready();
  BOOST_TEST(guest.pop_used(1).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
