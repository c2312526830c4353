#include <backends/memory/guest_memory.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/support/guest_file.hpp>
#include <vector>

using capsa::memory::GuestMemory;
using capsa::memory::OwnRegion;
using capsa::memory::RegionSpec;

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMib = 1U << 20;

std::uint64_t resident(const GuestMemory& memory) {
  return memory.resident().value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(guest_memory_resident)

BOOST_AUTO_TEST_CASE(memory_of_ones_own_is_held_once_it_is_touched_until_it_is_given_back) {
  const auto memory =
      GuestMemory::allocate(std::vector<OwnRegion>{{0, 64 * kMib}, {128 * kMib, 64 * kMib}})
          .value();
  BOOST_TEST(resident(*memory) == 0U);
  const std::vector<std::byte> bytes(8 * kMib, std::byte{1});
  BOOST_TEST(memory->write(4 * kMib, bytes));
  BOOST_TEST(memory->write(184 * kMib, bytes));
  // Neither begins or ends within a huge page.
  BOOST_TEST(resident(*memory) == 16 * kMib);
  BOOST_TEST(memory->discard(4 * kMib, 4 * kMib));
  BOOST_TEST(resident(*memory) == 12 * kMib);
}

BOOST_AUTO_TEST_CASE(of_a_file_the_pages_count_whoever_touched_them) {
  const auto fd = capsa::test::make_guest_file(16 * kPage);
  const std::vector<RegionSpec> regions{{0, 8 * kPage, 0, 0, fd.get()},
                                        {16 * kPage, 8 * kPage, 0, 8 * kPage, fd.get()}};
  const auto memory = GuestMemory::map(regions).value();
  const auto other = GuestMemory::map(regions).value();
  BOOST_TEST(resident(*memory) == 0U);
  BOOST_TEST(other->store(3 * kPage, 1));
  BOOST_TEST(other->store(20 * kPage, 1));
  BOOST_TEST(resident(*memory) == 2 * kPage);
}

BOOST_AUTO_TEST_SUITE_END()
