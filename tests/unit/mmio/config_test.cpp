#include <array>
#include <tests/unit/mmio/fixture.hpp>

using namespace capsa;                // NOLINT: this is a test
using namespace capsa::virtio::mmio;  // NOLINT

namespace {

struct Config : test::MmioFixture {
  test::Bytes read(std::uint64_t offset, std::size_t size) {
    test::Bytes out(size, std::byte{0xee});
    transport->read(kConfigOffset + offset, out);
    return out;
  }
  void write(std::uint64_t offset, std::vector<int> values) {
    test::Bytes bytes;
    for (const int value : values)
      bytes.push_back(static_cast<std::byte>(value));
    on_vcpu([&] { transport->write(kConfigOffset + offset, bytes); });
  }
  std::uint32_t generation() { return driver.read(Register::ConfigGeneration); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(mmio_config, Config)

BOOST_AUTO_TEST_CASE(every_width_reads_at_every_offset_and_as_zero_beyond_the_end) {
  for (const std::size_t size : {1U, 2U, 4U, 8U}) {
    for (std::uint64_t offset = 0; offset < 40; ++offset) {
      test::Bytes expected(size, std::byte{0});
      for (std::size_t i = 0; i < size && offset + i < 16; ++i)
        expected[i] = std::byte(device.config[offset + i]);
      BOOST_TEST_CONTEXT(size << " bytes at " << offset) {
        BOOST_TEST((read(offset, size) == expected));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(offsets_that_no_page_has_read_as_zero) {
  for (const std::uint64_t offset : {0xf00ULL - 1, 0xffff'ffffULL, ~0ULL - kConfigOffset}) {
    BOOST_TEST((read(offset, 8) == test::Bytes(8, std::byte{0})));
  }
}

BOOST_AUTO_TEST_CASE(what_the_driver_writes_is_there_when_the_write_is_done) {
  write(2, {0x11, 0x22});
  BOOST_TEST((read(2, 2) == test::Bytes{std::byte{0x11}, std::byte{0x22}}));
  BOOST_TEST(int{device.config[3]} == 0x22);
}

BOOST_AUTO_TEST_CASE(a_write_that_is_not_all_in_the_space_is_ignored) {
  const auto before = device.config;
  write(15, {1, 2});
  write(16, {1});
  write(12, {1, 2, 3, 4, 5, 6, 7, 8});
  BOOST_TEST((device.config == before));
  const std::byte one{1};
  transport->write(~0ULL, std::span(&one, 1));
  BOOST_TEST((device.config == before));
}

BOOST_AUTO_TEST_CASE(news_of_the_device_change_the_generation_and_interrupt) {
  start();
  const auto before = generation();
  device.config[5] = 0x99;
  BOOST_TEST((read(5, 1) == test::Bytes{std::byte{0x45}}));  // not told yet
  device.active->interrupt->config_changed();
  BOOST_TEST(generation() != before);
  BOOST_TEST((read(5, 1) == test::Bytes{std::byte{0x99}}));
  BOOST_TEST(interrupted());
  BOOST_TEST(driver.take_interrupt() == kInterruptConfig);
}

BOOST_AUTO_TEST_CASE(both_reasons_for_an_interrupt_are_told_together) {
  start();
  BOOST_TEST(echo(0, 0, "x") == "x");
  device.active->interrupt->config_changed();
  BOOST_TEST(driver.take_interrupt() == (kInterruptQueue | kInterruptConfig));
  BOOST_TEST(driver.take_interrupt() == 0U);
}

BOOST_AUTO_TEST_CASE(a_guest_without_a_driver_is_not_interrupted) {
  start();
  // A device that keeps this for longer than it may; what it tells is true all the same.
  auto* const interrupt = device.active->interrupt;
  write_on_vcpu(Register::Status, 0);
  device.config[0] = 0x77;
  interrupt->config_changed();
  BOOST_TEST(!interrupted());
  BOOST_TEST(driver.read(Register::InterruptStatus) == 0U);
  BOOST_TEST((read(0, 1) == test::Bytes{std::byte{0x77}}));
}

BOOST_AUTO_TEST_CASE(news_of_a_closed_device_are_no_news) {
  start();
  device.slow = true;
  auto* const interrupt = device.active->interrupt;
  transport->close([] {});
  const auto before = generation();
  interrupt->config_changed();
  BOOST_TEST(generation() == before);
  BOOST_TEST(!interrupted());
}

BOOST_AUTO_TEST_SUITE_END()
