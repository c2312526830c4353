#include <tests/unit/mmio/fixture.hpp>

using namespace capsa;                // NOLINT: this is a test
using namespace capsa::virtio::mmio;  // NOLINT
using test::EchoDevice;

BOOST_FIXTURE_TEST_SUITE(mmio_handshake, test::MmioFixture)

BOOST_AUTO_TEST_CASE(a_device_says_what_it_is) {
  BOOST_TEST(driver.read(Register::Magic) == 0x74726976U);
  BOOST_TEST(driver.read(Register::Version) == 2U);
  BOOST_TEST(driver.read(Register::DeviceId) == 42U);
  BOOST_TEST(driver.read(Register::VendorId) != 0U);
  BOOST_TEST(driver.status() == 0U);
  BOOST_TEST(driver.offered() == EchoDevice::kFeatures);
}

BOOST_AUTO_TEST_CASE(there_are_no_features_beyond_64) {
  for (const std::uint32_t select : {2U, 32U, 0xffff'ffffU}) {
    driver.write(Register::DeviceFeaturesSelect, select);
    BOOST_TEST(driver.read(Register::DeviceFeatures) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(there_is_no_shared_memory) {
  BOOST_TEST(driver.read(Register::SharedMemoryLengthLow) == 0xffff'ffffU);
  BOOST_TEST(driver.read(Register::SharedMemoryLengthHigh) == 0xffff'ffffU);
}

BOOST_AUTO_TEST_CASE(a_driver_that_keeps_to_the_order_gets_a_device) {
  start();
  BOOST_TEST(device.activations == 1);
  BOOST_REQUIRE(device.active.has_value());
  BOOST_TEST(device.active->queues.size() == 3U);
  BOOST_TEST(device.active->features == (guest.queue_features() | 1));
  BOOST_TEST(driver.status() ==
             (kStatusAcknowledge | kStatusDriver | kStatusFeaturesOk | kStatusDriverOk));
  BOOST_TEST(echo(0, 0, "first") == "first");
  BOOST_TEST(echo(2, 2, "third") == "third");
}

BOOST_AUTO_TEST_CASE(a_used_buffer_interrupts_until_it_is_acknowledged) {
  start();
  BOOST_TEST(!interrupted());
  BOOST_TEST(echo(1, 1, "x") == "x");
  BOOST_TEST(interrupted());
  BOOST_TEST(driver.read(Register::InterruptStatus) == kInterruptQueue);
  driver.write(Register::InterruptAcknowledge, kInterruptConfig);
  BOOST_TEST(driver.read(Register::InterruptStatus) == kInterruptQueue);
  BOOST_TEST(driver.take_interrupt() == kInterruptQueue);
  BOOST_TEST(driver.read(Register::InterruptStatus) == 0U);
}

BOOST_AUTO_TEST_CASE(a_feature_that_was_not_offered_leaves_features_ok_clear) {
  on_vcpu([&] { driver.hello(); });
  BOOST_TEST(!driver.agree(virtio::kFeatureVersion1 | 2));
  BOOST_TEST(driver.status() == (kStatusAcknowledge | kStatusDriver));
}

BOOST_AUTO_TEST_CASE(a_legacy_driver_is_refused) {
  on_vcpu([&] { driver.hello(); });
  BOOST_TEST(!driver.agree(1));
}

BOOST_AUTO_TEST_CASE(a_driver_may_ask_for_less_after_it_was_refused) {
  on_vcpu([&] { driver.hello(); });
  BOOST_TEST(!driver.agree(~std::uint64_t{0}));
  BOOST_TEST(driver.agree(virtio::kFeatureVersion1));
}

BOOST_AUTO_TEST_CASE(a_refused_bit_takes_none_of_the_others_with_it) {
  write_on_vcpu(Register::Status, 0);
  write_on_vcpu(Register::Status, kStatusAcknowledge | kStatusDriver | kStatusFeaturesOk);
  BOOST_TEST(driver.status() == (kStatusAcknowledge | kStatusDriver));
}

BOOST_AUTO_TEST_CASE(features_do_not_change_once_they_are_agreed) {
  on_vcpu([&] { driver.hello(); });
  BOOST_TEST(driver.agree(virtio::kFeatureVersion1 | 1));
  driver.write(Register::DriverFeaturesSelect, 0);
  driver.write(Register::DriverFeatures, 0xffff'ffff);
  for (virtio::QueueIndex i = 0; i < 3; ++i)
    driver.set_queue(i, guest.ring(i));
  on_vcpu([&] { driver.go(); });
  BOOST_REQUIRE(device.active.has_value());
  BOOST_TEST(device.active->features == (virtio::kFeatureVersion1 | 1));
}

BOOST_AUTO_TEST_CASE(a_driver_of_other_words_of_features_agrees_to_nothing_by_them) {
  on_vcpu([&] { driver.hello(); });
  driver.write(Register::DriverFeaturesSelect, 2);
  driver.write(Register::DriverFeatures, 0xffff'ffff);
  BOOST_TEST(driver.agree(virtio::kFeatureVersion1));
}

BOOST_AUTO_TEST_CASE(driver_ok_before_features_ok_starts_nothing) {
  on_vcpu([&] {
    driver.hello();
    driver.add_status(kStatusDriverOk);
  });
  BOOST_TEST(device.activations == 0);
  BOOST_TEST((driver.status() & kStatusDriverOk) == 0U);
}

BOOST_AUTO_TEST_CASE(driver_ok_twice_starts_the_device_once) {
  start();
  on_vcpu([&] { driver.add_status(kStatusDriverOk); });
  BOOST_TEST(device.activations == 1);
}

BOOST_AUTO_TEST_CASE(a_driver_takes_no_bit_back_and_sets_none_of_the_device) {
  start();
  const auto before = driver.status();
  write_on_vcpu(Register::Status, kStatusAcknowledge);
  BOOST_TEST(driver.status() == before);
  on_vcpu([&] { driver.add_status(kStatusNeedsReset); });
  BOOST_TEST(driver.status() == before);
  write_on_vcpu(Register::Status, 0x100);
  BOOST_TEST(driver.status() == before);
}

BOOST_AUTO_TEST_CASE(a_driver_that_failed_can_only_reset) {
  on_vcpu([&] { driver.hello(); });
  on_vcpu([&] { driver.add_status(kStatusFailed); });
  BOOST_TEST(!driver.agree(virtio::kFeatureVersion1));
  write_on_vcpu(Register::Status, 0);
  BOOST_TEST(driver.status() == 0U);
  start();
}

BOOST_AUTO_TEST_SUITE_END()
