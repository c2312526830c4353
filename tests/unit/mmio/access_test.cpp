#include <tests/unit/mmio/fixture.hpp>

using namespace capsa;                // NOLINT: this is a test
using namespace capsa::virtio::mmio;  // NOLINT

BOOST_FIXTURE_TEST_SUITE(mmio_access, test::MmioFixture)

BOOST_AUTO_TEST_CASE(registers_are_read_as_aligned_words_or_as_zero) {
  for (const std::size_t size : {1U, 2U, 8U}) {
    test::Bytes out(size, std::byte{0xee});
    transport->read(0, out);
    BOOST_TEST((out == test::Bytes(size, std::byte{0})));
  }
  for (const std::uint64_t offset : {1ULL, 2ULL, 3ULL, 0xfdULL}) {
    test::Bytes out(4, std::byte{0xee});
    transport->read(offset, out);
    BOOST_TEST((out == test::Bytes(4, std::byte{0})));
  }
}

BOOST_AUTO_TEST_CASE(registers_are_written_as_aligned_words_or_not_at_all) {
  const auto status = static_cast<std::uint64_t>(Register::Status);
  const test::Bytes ones(8, std::byte{1});
  for (const std::size_t size : {1U, 2U, 8U})
    transport->write(status, std::span(ones).first(size));
  for (const std::uint64_t offset : {status - 3, status - 1, status + 1})
    transport->write(offset, std::span(ones).first(4));
  BOOST_TEST(driver.status() == 0U);
}

BOOST_AUTO_TEST_CASE(nothing_is_written_at_registers_that_are_only_read) {
  for (const auto which :
       {Register::Magic, Register::Version, Register::DeviceId, Register::DeviceFeatures,
        Register::QueueSizeMax, Register::InterruptStatus, Register::ConfigGeneration}) {
    const auto before = driver.read(which);
    driver.write(which, ~before);
    BOOST_TEST(driver.read(which) == before);
  }
}

BOOST_AUTO_TEST_CASE(registers_that_are_only_written_read_as_zero) {
  start();
  for (const auto which :
       {Register::DriverFeatures, Register::QueueSelect, Register::QueueSize, Register::QueueNotify,
        Register::InterruptAcknowledge, Register::QueueDescriptorsLow}) {
    BOOST_TEST(driver.read(which) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(vcpus_that_write_all_registers_at_once_only_harm_themselves) {
  constexpr int kRounds = 400;
  std::atomic<int> left{2};
  const auto hammer = [&](std::uint32_t seed) {
    for (int i = 0; i < kRounds; ++i) {
      seed = seed * 1664525 + 1013904223;
      const std::uint32_t offset = seed >> 8 & 0xfc;
      const std::uint32_t value = seed >> 16 & 0xf;
      test::Bytes bytes(4, static_cast<std::byte>(value));
      switch (seed >> 28) {
        case 0:
          driver.start(guest);
          break;
        case 1:
          driver.write(Register::Status, 0);
          break;
        case 2:
          transport->write(kConfigOffset + value, bytes);
          break;
        case 3:
          transport->read(kConfigOffset + value, bytes);
          break;
        case 4:
          driver.kick(static_cast<virtio::QueueIndex>(value));
          break;
        default:
          driver.read(static_cast<Register>(offset));
          driver.write(static_cast<Register>(offset), value);
          break;
      }
    }
    --left;
    loop.post([] {});
  };
  std::thread one(hammer, 1U);
  std::thread other(hammer, 7U);
  // The loop has something to say as well.
  const bool in_time = loop.run_until(
      [&] {
        if (device.active) device.active->interrupt->config_changed();
        return left == 0;
      },
      std::chrono::seconds(60));
  if (!in_time) transport->abandon();
  one.join();
  other.join();
  BOOST_TEST(in_time);
  BOOST_TEST(device.activations > 0);
  // And a driver that behaves gets its device.
  write_on_vcpu(Register::Status, 0);
  start(kSecondLife);
  BOOST_TEST(echo(0, kSecondLife, "still here") == "still here");
}

BOOST_AUTO_TEST_CASE(a_close_amid_it_all_frees_every_vcpu) {
  start();
  std::atomic<bool> stop{false};
  const auto hammer = [&] {
    while (!stop) {
      driver.write(Register::Status, 0);
      driver.start(guest);
    }
  };
  std::thread one(hammer);
  std::thread other(hammer);
  BOOST_TEST(loop.run_until([&] { return device.activations > 20; }));
  bool closed = false;
  transport->close([&] { closed = true; });
  BOOST_TEST(loop.run_until([&] { return closed; }));
  stop = true;
  one.join();
  other.join();
  const int activations = device.activations;
  loop.run_ready();
  BOOST_TEST(device.activations == activations);
}

BOOST_AUTO_TEST_SUITE_END()
