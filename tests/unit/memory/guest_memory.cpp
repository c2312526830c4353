#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <backends/memory/guest_memory.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <tests/support/guest_file.hpp>

using capsa::ErrorCode;
using capsa::UniqueFd;
using capsa::memory::GuestMemory;
using capsa::memory::OwnRegion;
using capsa::memory::RegionSpec;
using capsa::test::make_guest_file;

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

auto map(std::vector<RegionSpec> regions) {
  return GuestMemory::map(regions);
}

void refused(const RegionSpec& region) {
  const auto mapped = map({region});
  BOOST_REQUIRE(!mapped);
  BOOST_TEST((mapped.error().code() == ErrorCode::InvalidConfig), mapped.error().what());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(guest_memory)

BOOST_AUTO_TEST_CASE(what_is_written_reaches_the_file_and_back) {
  const auto fd = make_guest_file(2 * kPage);
  const auto memory = map({{0x1000, 2 * kPage, 0, 0, fd.get()}}).value();
  BOOST_TEST(memory->size() == 2 * kPage);
  BOOST_TEST(memory->store<std::uint32_t>(0x1ffe, 0xdeadbeef));
  std::uint32_t seen = 0;
  BOOST_TEST(::pread(fd.get(), &seen, 4, 0xffe) == 4);
  BOOST_TEST(seen == 0xdeadbeef);
  const std::uint32_t back = 0x12345678;
  BOOST_TEST(::pwrite(fd.get(), &back, 4, 0) == 4);
  BOOST_TEST(memory->load<std::uint32_t>(0x1000).value() == back);
}

BOOST_AUTO_TEST_CASE(a_range_that_leaves_its_region_is_refused_and_nothing_is_copied) {
  const auto fd = make_guest_file(kPage);
  const auto memory = map({{0x1000, kPage, 0, 0, fd.get()}}).value();
  BOOST_TEST(memory->slice(0x1000, kPage).has_value());
  BOOST_TEST(!memory->slice(0x1000, kPage + 1).has_value());
  BOOST_TEST(!memory->slice(0xfff, 2).has_value());
  BOOST_TEST(!memory->slice(0x1fff, 2).has_value());
  BOOST_TEST(!memory->slice(0x2000, 1).has_value());
  BOOST_TEST(!memory->slice(0, 1).has_value());
  BOOST_TEST(!memory->slice(0x1800, kMax).has_value());
  BOOST_TEST(!memory->slice(kMax, kMax).has_value());
  BOOST_TEST(!memory->store<std::uint16_t>(0x1fff, 0xffff));
  BOOST_TEST(memory->load<std::uint8_t>(0x1fff).value() == 0);
}

BOOST_AUTO_TEST_CASE(an_empty_range_is_fine_wherever_it_lies) {
  const auto fd = make_guest_file(kPage);
  const auto memory = map({{0x1000, kPage, 0, 0, fd.get()}}).value();
  BOOST_TEST(memory->slice(0, 0).value().empty());
  BOOST_TEST(memory->slice(kMax, 0).value().empty());
  BOOST_TEST(memory->read(5, {}));
  BOOST_TEST(memory->write(5, {}));
}

BOOST_AUTO_TEST_CASE(regions_are_found_whatever_their_order) {
  const auto fd = make_guest_file(4 * kPage);
  const auto memory = map({{0x9000, kPage, 0, 2 * kPage, fd.get()},
                           {0x1000, kPage, 0, 0, fd.get()},
                           {0x2000, kPage, 0, kPage, fd.get()}})
                          .value();
  BOOST_TEST(memory->store<std::uint8_t>(0x1000, 1));
  BOOST_TEST(memory->store<std::uint8_t>(0x2000, 2));
  BOOST_TEST(memory->store<std::uint8_t>(0x9000, 3));
  std::array<std::uint8_t, 3> seen{};
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST(::pread(fd.get(), &seen[i], 1, static_cast<off_t>(i * kPage)) == 1);
  }
  BOOST_TEST(seen[0] == 1);
  BOOST_TEST(seen[1] == 2);
  BOOST_TEST(seen[2] == 3);
  BOOST_TEST(!memory->slice(0x3000, 1).has_value());
}

BOOST_AUTO_TEST_CASE(a_range_over_two_adjacent_regions_has_a_beginning_only) {
  const auto fd = make_guest_file(2 * kPage);
  const auto memory =
      map({{0x1000, kPage, 0, kPage, fd.get()}, {0x2000, kPage, 0, 0, fd.get()}}).value();
  BOOST_TEST(!memory->slice(0x1ff0, 0x20).has_value());
  BOOST_TEST(memory->slice_beginning(0x1ff0, 0x20).value().size() == 0x10U);
  BOOST_TEST(memory->slice_beginning(0x2000, 0x10).value().size() == 0x10U);
  BOOST_TEST(!memory->slice_beginning(0x3000, 0x10).has_value());
}

BOOST_AUTO_TEST_CASE(an_offset_inside_a_page_is_honoured) {
  const auto fd = make_guest_file(2 * kPage);
  const std::uint8_t mark = 0x5a;
  BOOST_TEST(::pwrite(fd.get(), &mark, 1, kPage + 0x123) == 1);
  const auto memory = map({{0x5000, 0x100, 0, kPage + 0x123, fd.get()}}).value();
  BOOST_TEST(memory->load<std::uint8_t>(0x5000).value() == mark);
  BOOST_TEST(!memory->slice(0x5100, 1).has_value());
}

BOOST_AUTO_TEST_CASE(a_file_shorter_than_the_region_is_refused) {
  const auto fd = make_guest_file(kPage);
  refused({0, kPage + 1, 0, 0, fd.get()});
  refused({0, kPage, 0, 1, fd.get()});
  refused({0, kPage, 0, kMax, fd.get()});
  refused({0, kPage, 0, kMax - kPage + 1, fd.get()});
}

BOOST_AUTO_TEST_CASE(empty_and_wrapping_regions_are_refused) {
  const auto fd = make_guest_file(kPage);
  refused({0, 0, 0, 0, fd.get()});
  refused({kMax - 0xff, 0x101, 0, 0, fd.get()});
  refused({0, 0x101, kMax - 0xff, 0, fd.get()});
  BOOST_TEST(map({{kMax - 0xff, 0x100, 0, 0, fd.get()}}).ok());
}

BOOST_AUTO_TEST_CASE(overlapping_regions_are_refused) {
  const auto fd = make_guest_file(4 * kPage);
  BOOST_TEST(!map({{0, kPage, 0, 0, fd.get()}, {kPage - 1, kPage, 0, kPage, fd.get()}}).ok());
  BOOST_TEST(!map({{kPage, 1, 0, 0, fd.get()}, {0, 2 * kPage, 0, kPage, fd.get()}}).ok());
  BOOST_TEST(!map({{0, kPage, 0, 0, fd.get()}, {0, kPage, 0, 0, fd.get()}}).ok());
}

BOOST_AUTO_TEST_CASE(more_regions_than_the_cap_are_refused) {
  const auto fd = make_guest_file(kPage);
  std::vector<RegionSpec> regions;
  for (std::size_t i = 0; i < GuestMemory::kMaxRegions; ++i) {
    regions.push_back({i * kPage, kPage, 0, 0, fd.get()});
  }
  BOOST_TEST(map(regions).ok());
  regions.push_back({regions.size() * kPage, kPage, 0, 0, fd.get()});
  BOOST_TEST(!map(regions).ok());
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_is_no_file_is_refused) {
  BOOST_TEST(!map({{0, kPage, 0, 0, -1}}).ok());
  int ends[2];
  BOOST_REQUIRE_EQUAL(::pipe(ends), 0);
  const UniqueFd read_end(ends[0]), write_end(ends[1]);
  BOOST_TEST(!map({{0, kPage, 0, 0, ends[0]}}).ok());
}

BOOST_AUTO_TEST_CASE(a_file_that_could_be_cut_off_is_refused) {
  const UniqueFd open_to_all(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  BOOST_REQUIRE_EQUAL(::ftruncate(open_to_all.get(), kPage), 0);
  refused({0, kPage, 0, 0, open_to_all.get()});
  BOOST_REQUIRE_EQUAL(::fcntl(open_to_all.get(), F_ADD_SEALS, F_SEAL_GROW), 0);
  refused({0, kPage, 0, 0, open_to_all.get()});
  BOOST_REQUIRE_EQUAL(::fcntl(open_to_all.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  BOOST_TEST(map({{0, kPage, 0, 0, open_to_all.get()}}).ok());
  BOOST_TEST(::ftruncate(open_to_all.get(), 0) == -1);

  // What was not made for sealing, and what is no memfd.
  const UniqueFd never(::memfd_create("test", MFD_CLOEXEC));
  BOOST_REQUIRE_EQUAL(::ftruncate(never.get(), kPage), 0);
  refused({0, kPage, 0, 0, never.get()});
  const UniqueFd program(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  refused({0, kPage, 0, 0, program.get()});
}

BOOST_AUTO_TEST_CASE(a_user_address_becomes_a_guest_address) {
  const auto fd = make_guest_file(3 * kPage);
  const auto memory = map({{0x1000, kPage, 0x7f0000002000, 0, fd.get()},
                           {0x8000, kPage, 0x7f0000001000, kPage, fd.get()},
                           {0xf000, kPage, 0, 2 * kPage, fd.get()}})
                          .value();
  BOOST_TEST(memory->from_user_address(0x7f0000002010, 8).value() == 0x1010U);
  BOOST_TEST(memory->from_user_address(0x7f0000001000, kPage).value() == 0x8000U);
  BOOST_TEST(!memory->from_user_address(0x7f0000001000, kPage + 1).has_value());
  BOOST_TEST(!memory->from_user_address(0x7f0000003000, 0).has_value());
  BOOST_TEST(!memory->from_user_address(kMax, 2).has_value());
  // A region without a user address is at none, not at 0.
  BOOST_TEST(!memory->from_user_address(0x10, 1).has_value());
}

BOOST_AUTO_TEST_CASE(memory_lives_on_when_its_file_descriptor_is_closed) {
  auto fd = make_guest_file(kPage);
  const auto memory = map({{0, kPage, 0, 0, fd.get()}}).value();
  fd.reset();
  BOOST_TEST(memory->store<std::uint8_t>(0xfff, 7));
  BOOST_TEST(memory->load<std::uint8_t>(0xfff).value() == 7);
}

BOOST_AUTO_TEST_CASE(memory_of_our_own_is_zero_and_lies_as_the_guest_s_pages_do) {
  constexpr std::uint64_t kHugePage = 2U << 20;
  const std::vector<OwnRegion> regions{{0, 3 * kHugePage}, {0x1'0000'1000, kPage}};
  const auto memory = GuestMemory::allocate(regions).value();
  BOOST_TEST(memory->size() == 3 * kHugePage + kPage);
  for (const auto& region : regions) {
    const auto bytes = memory->slice(region.guest_address, region.size).value();
    BOOST_TEST(
        (reinterpret_cast<std::uintptr_t>(bytes.data()) - region.guest_address) % kHugePage == 0U);
    BOOST_TEST(std::to_integer<int>(bytes.front()) == 0);
    BOOST_TEST(std::to_integer<int>(bytes.back()) == 0);
  }
  BOOST_TEST(!memory->slice(3 * kHugePage, 1).has_value());
}

BOOST_AUTO_TEST_CASE(pages_of_our_own_that_are_given_back_read_as_zero) {
  const auto memory = GuestMemory::allocate(std::vector<OwnRegion>{{0, 4 * kPage}}).value();
  for (std::uint64_t page = 0; page < 4; ++page)
    BOOST_TEST(memory->store<std::uint32_t>(page * kPage, 7));
  BOOST_TEST(memory->discard(kPage, 2 * kPage));
  BOOST_TEST(memory->load<std::uint32_t>(0).value() == 7U);
  BOOST_TEST(memory->load<std::uint32_t>(kPage).value() == 0U);
  BOOST_TEST(memory->load<std::uint32_t>(2 * kPage).value() == 0U);
  BOOST_TEST(memory->load<std::uint32_t>(3 * kPage).value() == 7U);
  BOOST_TEST(!memory->discard(1, kPage));
}

BOOST_AUTO_TEST_CASE(regions_of_our_own_are_checked_as_those_of_files_are) {
  const std::vector<std::vector<OwnRegion>> wrong{
      {{0, 0}}, {{kMax, 2}}, {{0, 2 * kPage}, {kPage, kPage}}, {{0, kMax - kPage}}};
  for (const auto& regions : wrong) {
    const auto refused = GuestMemory::allocate(regions);
    BOOST_REQUIRE(!refused);
    BOOST_TEST((refused.error().code() == ErrorCode::InvalidConfig), refused.error().what());
  }
}

BOOST_AUTO_TEST_SUITE_END()
