#include <backends/kvm/boot/ram.hpp>
#include <boost/test/unit_test.hpp>

namespace capsa::kvm::test {

namespace {

constexpr std::uint64_t kGiB = 1024 * kMiB;

using Map = std::vector<E820Entry>;
constexpr auto kRam = MemoryType::Ram;
constexpr auto kReserved = MemoryType::Reserved;

std::uint64_t usable(const Map& map) {
  std::uint64_t sum = 0;
  for (const auto& entry : map)
    sum += entry.type == kRam ? entry.size : 0;
  return sum;
}

void check_order(const Map& map) {
  for (std::size_t i = 1; i < map.size(); ++i)
    BOOST_TEST(map[i - 1].end() <= map[i].address, "entry " << i);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_boot_ram)

BOOST_AUTO_TEST_CASE(memory_up_to_3_gib_is_one_range) {
  for (const std::uint64_t mb : {32U, 256U, 3072U})
    BOOST_TEST((ram_ranges(mb) == std::vector<RamRange>{{0, mb * kMiB}}));
}

BOOST_AUTO_TEST_CASE(memory_beyond_3_gib_goes_on_at_4_gib) {
  BOOST_TEST((ram_ranges(3073) == std::vector<RamRange>{{0, 3 * kGiB}, {4 * kGiB, kMiB}}));
  BOOST_TEST((ram_ranges(3584) == std::vector<RamRange>{{0, 3 * kGiB}, {4 * kGiB, kGiB / 2}}));
  BOOST_TEST((ram_ranges(65536) == std::vector<RamRange>{{0, 3 * kGiB}, {4 * kGiB, 61 * kGiB}}));
}

BOOST_AUTO_TEST_CASE(a_size_out_of_range_has_no_ram_and_no_map) {
  for (const std::uint64_t mb : {std::uint64_t{0}, std::uint64_t{31}, std::uint64_t{65537},
                                 ~std::uint64_t{0}, std::uint64_t{1} << 44}) {
    BOOST_TEST(ram_ranges(mb).empty());
    const auto map = memory_map(mb, {});
    BOOST_TEST_REQUIRE(!map.ok());
    BOOST_TEST((map.error().code() == ErrorCode::InvalidConfig));
  }
}

BOOST_AUTO_TEST_CASE(a_small_machine_has_conventional_memory_bios_and_ram) {
  const auto map = memory_map(256, {}).value();
  BOOST_TEST((map == Map{{0, 0x9FC00, kRam},
                         {0x9FC00, 0x400, kReserved},
                         {0xE0000, 0x20000, kReserved},
                         {0x100000, 255 * kMiB, kRam}}));
}

BOOST_AUTO_TEST_CASE(a_large_machine_has_a_hole_below_4_gib) {
  for (const std::uint64_t mb : {3072U, 3584U, 65536U}) {
    const auto map = memory_map(mb, {}).value();
    check_order(map);
    BOOST_TEST(map.size() == (mb > 3072 ? 5U : 4U));
    BOOST_TEST((map[3] == E820Entry{kMiB, 3 * kGiB - kMiB, kRam}));
    if (mb > 3072) BOOST_TEST((map[4] == E820Entry{4 * kGiB, mb * kMiB - 3 * kGiB, kRam}));
    // 640 kB less one, and not the 384 kB to 1 MiB.
    BOOST_TEST(usable(map) == mb * kMiB - kMiB + 0x9FC00);
  }
}

BOOST_AUTO_TEST_CASE(reserved_pages_are_cut_out_of_ram) {
  const std::vector<AddressRange> reserved{
      {64 * kMiB, 0x1000}, {4 * kGiB, 0x2000}, {128 * kMiB, 0x1000}, {128 * kMiB + 0x800, 0x1800}};
  const auto map = memory_map(3584, reserved).value();
  check_order(map);
  BOOST_TEST((map == Map{{0, 0x9FC00, kRam},
                         {0x9FC00, 0x400, kReserved},
                         {0xE0000, 0x20000, kReserved},
                         {kMiB, 63 * kMiB, kRam},
                         {64 * kMiB, 0x1000, kReserved},
                         {64 * kMiB + 0x1000, 64 * kMiB - 0x1000, kRam},
                         {128 * kMiB, 0x2000, kReserved},
                         {128 * kMiB + 0x2000, 3 * kGiB - 128 * kMiB - 0x2000, kRam},
                         {4 * kGiB, 0x2000, kReserved},
                         {4 * kGiB + 0x2000, kGiB / 2 - 0x2000, kRam}}));
}

BOOST_AUTO_TEST_CASE(a_reserved_range_may_end_ram_or_lie_in_the_hole) {
  const std::vector<AddressRange> reserved{{255 * kMiB, kMiB}, {0xFEC0'0000, 0x1000}};
  const auto map = memory_map(256, reserved).value();
  check_order(map);
  BOOST_TEST((map[3] == E820Entry{kMiB, 254 * kMiB, kRam}));
  BOOST_TEST((map[4] == E820Entry{255 * kMiB, kMiB, kReserved}));
  BOOST_TEST((map[5] == E820Entry{0xFEC0'0000, 0x1000, kReserved}));
  BOOST_TEST(map.size() == 6U);
}

BOOST_AUTO_TEST_CASE(a_reserved_range_that_is_empty_or_wraps_is_refused) {
  for (const auto& range :
       {AddressRange{kMiB, 0}, AddressRange{kMiB, ~std::uint64_t{0}}, AddressRange{~0ULL, 2}}) {
    const auto map = memory_map(256, std::vector{range});
    BOOST_TEST_REQUIRE(!map.ok());
    BOOST_TEST((map.error().code() == ErrorCode::InvalidConfig));
  }
}

BOOST_AUTO_TEST_CASE(a_map_that_a_guest_has_no_room_for_is_refused) {
  std::vector<AddressRange> reserved;
  // Each adds itself and the RAM behind it.
  for (std::uint64_t i = 0; i < 61; ++i)
    reserved.push_back({(2 + i) * kMiB, 0x1000});
  BOOST_TEST(memory_map(256, reserved).value().size() == 126U);
  reserved.push_back({100 * kMiB, 0x1000});
  BOOST_TEST((memory_map(256, reserved).error().code() == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm::test
