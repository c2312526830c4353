#include <backends/kvm/boot/initrd.hpp>
#include <boost/test/unit_test.hpp>

#include "kernel_files.hpp"

namespace capsa::kvm::test {

namespace {

constexpr AddressRange kKernel{16 * kMiB, 32 * kMiB};

result<AddressRange> place(std::uint64_t memory_mb, std::uint64_t size,
                           GuestAddress limit = kHoleStart,
                           const std::vector<AddressRange>& reserved = {}) {
  return place_initrd(memory_map(memory_mb, reserved).value(), kKernel, limit, size);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_boot_initrd)

BOOST_AUTO_TEST_CASE(it_lies_at_the_top_of_ram_on_a_page_of_its_own) {
  BOOST_TEST((place(256, 1).value() == AddressRange{256 * kMiB - 4096, 1}));
  BOOST_TEST((place(256, 4096).value() == AddressRange{256 * kMiB - 4096, 4096}));
  BOOST_TEST((place(256, 4097).value() == AddressRange{256 * kMiB - 8192, 4097}));
}

BOOST_AUTO_TEST_CASE(it_lies_below_3_gib_however_large_the_machine) {
  for (const std::uint64_t mb : {3072U, 3584U, 65536U})
    BOOST_TEST(place(mb, kMiB).value().address == kHoleStart - kMiB);
}

BOOST_AUTO_TEST_CASE(it_stays_below_the_kernels_limit) {
  BOOST_TEST(place(3072, kMiB, 0x8000'0000).value().end() == 0x8000'0000U);
  BOOST_TEST(place(3072, kMiB, 0x7fff'ffff).value().end() == 0x7fff'f000U);
  BOOST_TEST(!place(3072, kMiB, 0).ok());
}

BOOST_AUTO_TEST_CASE(it_keeps_off_reserved_pages) {
  const std::vector<AddressRange> reserved{{255 * kMiB + 0x800, 0x10}};
  BOOST_TEST(place(256, 2 * kMiB, kHoleStart, reserved).value().end() == 255 * kMiB);
  BOOST_TEST(place(256, kMiB / 2, kHoleStart, reserved).value().end() == 256 * kMiB);
}

BOOST_AUTO_TEST_CASE(it_may_lie_below_the_kernel_where_there_is_no_room_above) {
  BOOST_TEST(place(50, 2 * kMiB).value().address == 48 * kMiB);
  BOOST_TEST(place(50, 2 * kMiB + 1).value().address == 14 * kMiB - 4096);
  BOOST_TEST(place(50, 15 * kMiB).value().address == kMiB);
}

BOOST_AUTO_TEST_CASE(one_that_would_overlap_the_kernel_says_how_much_memory_would_do) {
  for (const std::uint64_t size : {15 * kMiB + 1, 20 * kMiB, 100 * kMiB}) {
    const auto refused = place(50, size);
    BOOST_TEST_REQUIRE(!refused.ok());
    BOOST_TEST((refused.error().code() == ErrorCode::InvalidConfig));
    const auto needed = 48 + (size + kMiB - 1) / kMiB;
    BOOST_TEST(mentions(refused.error(), "at least " + std::to_string(needed) + " MiB of memory"),
               refused.error().what());
    BOOST_TEST(place(needed, size).ok());
    BOOST_TEST(mentions(refused.error(), "needs 32 MiB"));
  }
}

BOOST_AUTO_TEST_CASE(the_memory_that_would_do_counts_reserved_pages) {
  const std::vector<AddressRange> reserved{{52 * kMiB, 1}};
  const auto refused = place(60, 20 * kMiB, kHoleStart, reserved);
  BOOST_TEST(mentions(refused.error(), "at least 69 MiB"), refused.error().what());
}

BOOST_AUTO_TEST_CASE(one_that_no_machine_has_room_for_promises_nothing) {
  for (const std::uint64_t size : {4096 * kMiB, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    const auto refused = place(65536, size);
    BOOST_TEST_REQUIRE(!refused.ok());
    BOOST_TEST(!mentions(refused.error(), "at least"));
    BOOST_TEST(mentions(refused.error(), "smaller initrd"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm::test
