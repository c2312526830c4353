#include <array>
#include <backends/kvm/bus.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>

using namespace capsa::kvm;  // NOLINT: this is a test

namespace {

/// Remembers what it was asked last.
struct Recorder final : BusDevice {
  void read(std::uint64_t at, std::span<std::byte> out) override {
    offset = at;
    for (auto& byte : out)
      byte = std::byte{0x5a};
  }
  void write(std::uint64_t at, std::span<const std::byte> in) override {
    offset = at;
    size = in.size();
  }
  std::uint64_t offset = ~0ULL;
  std::size_t size = 0;
};

struct Fixture {
  Bus bus;
  std::shared_ptr<Recorder> device = std::make_shared<Recorder>();
  std::array<std::byte, 8> bytes{};

  bool read(std::uint64_t address, std::size_t size) {
    bytes.fill(std::byte{0});
    return bus.read(address, std::span(bytes).first(size));
  }
  bool write(std::uint64_t address, std::size_t size) {
    return bus.write(address, std::span(bytes).first(size));
  }
};

constexpr auto kLast = std::numeric_limits<std::uint64_t>::max();

}  // namespace

BOOST_FIXTURE_TEST_SUITE(kvm_bus, Fixture)

BOOST_AUTO_TEST_CASE(an_access_reaches_its_device_by_offset) {
  BOOST_TEST(bus.add(0x1000, 0x10, device));
  BOOST_TEST(read(0x1000, 4));
  BOOST_TEST(device->offset == 0U);
  BOOST_TEST(write(0x100e, 2));
  BOOST_TEST(device->offset == 0xeU);
  BOOST_TEST(device->size == 2U);
}

BOOST_AUTO_TEST_CASE(what_belongs_to_nobody_reads_as_ones_and_swallows_writes) {
  BOOST_TEST(bus.add(0x1000, 0x10, device));
  for (const std::uint64_t address : {0x0UL, 0xfffUL, 0x1010UL, 0x2000'0000'0000UL, kLast - 7}) {
    BOOST_TEST(!read(address, 4));
    BOOST_TEST((bytes[0] == std::byte{0xff} && bytes[3] == std::byte{0xff}));
    BOOST_TEST((bytes[4] == std::byte{0}));
    BOOST_TEST(!write(address, 4));
  }
  BOOST_TEST(device->offset == ~0ULL);
}

BOOST_AUTO_TEST_CASE(an_access_across_an_end_reaches_nobody) {
  const auto next = std::make_shared<Recorder>();
  BOOST_TEST(bus.add(0x1000, 0x10, device));
  BOOST_TEST(bus.add(0x1010, 0x10, next));
  BOOST_TEST(!read(0x100e, 4));
  BOOST_TEST(!write(0x100f, 2));
  BOOST_TEST(!read(0xffe, 4));
  BOOST_TEST(!read(0x101d, 8));
  BOOST_TEST(device->offset == ~0ULL);
  BOOST_TEST(next->offset == ~0ULL);
}

BOOST_AUTO_TEST_CASE(ranges_may_touch_and_not_overlap) {
  BOOST_TEST(bus.add(0x1000, 0x10, device));
  BOOST_TEST(bus.add(0x1010, 0x10, device));
  BOOST_TEST(bus.add(0xff0, 0x10, device));
  BOOST_TEST(!bus.add(0x1000, 0x10, device));
  BOOST_TEST(!bus.add(0x1008, 1, device));
  BOOST_TEST(!bus.add(0xfe0, 0x11, device));
  BOOST_TEST(!bus.add(0, 0x10'0000, device));
  BOOST_TEST(!bus.add(0x101f, 1, device));
  BOOST_TEST(bus.add(0x1020, 1, device));
}

BOOST_AUTO_TEST_CASE(a_range_is_not_empty_and_does_not_wrap) {
  BOOST_TEST(!bus.add(0x1000, 0, device));
  BOOST_TEST(!bus.add(kLast, 2, device));
  BOOST_TEST(bus.add(1, kLast, device));  // the last byte included
  BOOST_TEST(!bus.add(0, 2, device));
}

BOOST_AUTO_TEST_CASE(a_range_may_end_with_the_last_byte) {
  BOOST_TEST(bus.add(kLast - 3, 4, device));
  BOOST_TEST(read(kLast - 3, 4));
  BOOST_TEST(read(kLast, 1));
  BOOST_TEST(device->offset == 3U);
  BOOST_TEST(!read(kLast, 2));
}

BOOST_AUTO_TEST_CASE(an_access_wider_than_its_range_reaches_nobody) {
  BOOST_TEST(bus.add(0x505, 1, device));
  BOOST_TEST(read(0x505, 1));
  BOOST_TEST(!read(0x505, 2));
}

BOOST_AUTO_TEST_SUITE_END()
