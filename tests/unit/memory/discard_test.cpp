#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <backends/memory/guest_memory.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <tests/support/guest_file.hpp>
#include <vector>

using capsa::memory::GuestAddress;
using capsa::memory::GuestMemory;
using capsa::memory::RegionSpec;
using capsa::test::make_guest_file;

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

/// How many pages the file has: a hole has none.
std::uint64_t pages_in_use(int fd) {
  struct stat status = {};
  BOOST_REQUIRE(::fstat(fd, &status) == 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512 / kPage;
}

void fill(const GuestMemory& memory, GuestAddress address, std::uint64_t length) {
  BOOST_REQUIRE(memory.write(address, std::vector<std::byte>(length, std::byte{0x77})));
}

std::uint8_t byte_at(const GuestMemory& memory, GuestAddress address) {
  return memory.load<std::uint8_t>(address).value();
}

/// Two regions that touch and lie the other way round in the file, and one that does not.
struct ThreeRegions {
  ThreeRegions() {
    fill(*memory, 0x1000, 4 * kPage);
    fill(*memory, 0x5000, 4 * kPage);
    fill(*memory, 0x20000, 4 * kPage);
  }
  capsa::UniqueFd fd = make_guest_file(12 * kPage);
  std::shared_ptr<const GuestMemory> memory =
      GuestMemory::map(std::vector<RegionSpec>{{0x1000, 4 * kPage, 0, 4 * kPage, fd.get()},
                                               {0x5000, 4 * kPage, 0, 0, fd.get()},
                                               {0x20000, 4 * kPage, 0, 8 * kPage, fd.get()}})
          .value();
};

}  // namespace

BOOST_AUTO_TEST_SUITE(guest_memory_discard)

BOOST_AUTO_TEST_CASE(pages_given_back_leave_the_file_and_read_as_zero) {
  const ThreeRegions guest;
  BOOST_TEST(pages_in_use(guest.fd.get()) == 12U);
  BOOST_TEST(guest.memory->discard(0x2000, 2 * kPage));
  BOOST_TEST(pages_in_use(guest.fd.get()) == 10U);
  BOOST_TEST(byte_at(*guest.memory, 0x1fff) == 0x77);
  BOOST_TEST(byte_at(*guest.memory, 0x2000) == 0);
  BOOST_TEST(byte_at(*guest.memory, 0x3fff) == 0);
  BOOST_TEST(byte_at(*guest.memory, 0x4000) == 0x77);
}

BOOST_AUTO_TEST_CASE(pages_given_back_can_be_used_again) {
  const ThreeRegions guest;
  BOOST_TEST(guest.memory->discard(0x2000, kPage));
  fill(*guest.memory, 0x2000, kPage);
  BOOST_TEST(byte_at(*guest.memory, 0x2fff) == 0x77);
  BOOST_TEST(pages_in_use(guest.fd.get()) == 12U);
}

BOOST_AUTO_TEST_CASE(another_mapping_of_the_file_sees_it) {
  const ThreeRegions guest;
  void* other = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, guest.fd.get(), 0);
  BOOST_REQUIRE(other != MAP_FAILED);
  BOOST_TEST(*static_cast<volatile std::uint8_t*>(other) == 0x77);
  BOOST_TEST(guest.memory->discard(0x5000, kPage));
  BOOST_TEST(*static_cast<volatile std::uint8_t*>(other) == 0);
  ::munmap(other, kPage);
}

BOOST_AUTO_TEST_CASE(a_range_over_adjacent_regions_is_given_back_whole) {
  const ThreeRegions guest;
  BOOST_TEST(guest.memory->discard(0x4000, 2 * kPage));
  BOOST_TEST(pages_in_use(guest.fd.get()) == 10U);
  BOOST_TEST(byte_at(*guest.memory, 0x3fff) == 0x77);
  BOOST_TEST(byte_at(*guest.memory, 0x4000) == 0);
  BOOST_TEST(byte_at(*guest.memory, 0x5fff) == 0);
  BOOST_TEST(byte_at(*guest.memory, 0x6000) == 0x77);
}

BOOST_AUTO_TEST_CASE(a_range_that_is_not_all_guest_memory_is_refused_and_nothing_goes) {
  const ThreeRegions guest;
  BOOST_TEST(!guest.memory->discard(0, kPage));
  BOOST_TEST(!guest.memory->discard(0, 2 * kPage));
  BOOST_TEST(!guest.memory->discard(0x1000, 9 * kPage));
  BOOST_TEST(!guest.memory->discard(0x8000, 2 * kPage));
  BOOST_TEST(!guest.memory->discard(0x1000, kMax & ~(kPage - 1)));
  BOOST_TEST(!guest.memory->discard(kMax & ~(kPage - 1), kPage));
  BOOST_TEST(pages_in_use(guest.fd.get()) == 12U);
}

BOOST_AUTO_TEST_CASE(a_range_that_does_not_end_with_pages_is_refused_and_nothing_goes) {
  const ThreeRegions guest;
  BOOST_TEST(!guest.memory->discard(0x1001, kPage));
  BOOST_TEST(!guest.memory->discard(0x1000, kPage - 1));
  BOOST_TEST(!guest.memory->discard(0x1000, 1));
  BOOST_TEST(!guest.memory->discard(0x4000, kPage + 1));
  BOOST_TEST(pages_in_use(guest.fd.get()) == 12U);
}

BOOST_AUTO_TEST_CASE(an_empty_range_is_fine_wherever_it_lies) {
  const ThreeRegions guest;
  BOOST_TEST(guest.memory->discard(0x1000, 0));
  BOOST_TEST(guest.memory->discard(5, 0));
  BOOST_TEST(guest.memory->discard(kMax, 0));
  BOOST_TEST(guest.memory->discard(std::span<std::byte>()));
  BOOST_TEST(pages_in_use(guest.fd.get()) == 12U);
}

BOOST_AUTO_TEST_CASE(a_range_does_not_go_on_behind_the_end_of_all_addresses) {
  const auto fd = make_guest_file(2 * kPage);
  const auto memory =
      GuestMemory::map(std::vector<RegionSpec>{{0, kPage, 0, 0, fd.get()},
                                               {kMax - kPage + 1, kPage, 0, kPage, fd.get()}})
          .value();
  fill(*memory, 0, kPage);
  fill(*memory, kMax - kPage + 1, kPage);
  BOOST_TEST(!memory->discard(kMax - kPage + 1, 2 * kPage));
  BOOST_TEST(pages_in_use(fd.get()) == 2U);
  BOOST_TEST(memory->discard(kMax - kPage + 1, kPage));
  BOOST_TEST(pages_in_use(fd.get()) == 1U);
}

BOOST_AUTO_TEST_CASE(pages_of_the_guest_that_are_none_of_the_file_are_refused) {
  const auto fd = make_guest_file(3 * kPage);
  const auto memory =
      GuestMemory::map(std::vector<RegionSpec>{{0x1000, 2 * kPage, 0, 0x800, fd.get()}}).value();
  fill(*memory, 0x1000, 2 * kPage);
  BOOST_TEST(!memory->discard(0x1000, kPage));
  BOOST_TEST(pages_in_use(fd.get()) == 3U);
  BOOST_TEST(memory->discard(0x1800, kPage));
  BOOST_TEST(pages_in_use(fd.get()) == 2U);
}

BOOST_AUTO_TEST_CASE(bytes_of_a_slice_are_given_back_and_no_others) {
  const ThreeRegions guest;
  const auto slice = guest.memory->slice(0x1000, 4 * kPage).value();
  BOOST_TEST(guest.memory->discard(slice.subspan(kPage, 2 * kPage)));
  BOOST_TEST(pages_in_use(guest.fd.get()) == 10U);
  BOOST_TEST(byte_at(*guest.memory, 0x1fff) == 0x77);
  BOOST_TEST(byte_at(*guest.memory, 0x2000) == 0);
  BOOST_TEST(!guest.memory->discard(slice.subspan(1, kPage)));
  BOOST_TEST(!guest.memory->discard(slice.first(kPage - 1)));
  BOOST_TEST(!guest.memory->discard(std::span(slice.data(), 5 * kPage)));
  alignas(kPage) static std::array<std::byte, kPage> ours{std::byte{0x55}};
  BOOST_TEST(!guest.memory->discard(std::span<std::byte>(ours)));
  BOOST_TEST((ours[0] == std::byte{0x55}));
  BOOST_TEST(pages_in_use(guest.fd.get()) == 11U);  // one came back by being read
}

BOOST_AUTO_TEST_SUITE_END()
