#include <sys/sysmacros.h>

#include <backends/virtio/fs/attributes.hpp>
#include <boost/test/unit_test.hpp>
#include <set>

namespace capsa::virtio::fs::test {

BOOST_AUTO_TEST_SUITE(fs_attributes)

BOOST_AUTO_TEST_CASE(files_of_the_root_device_keep_their_numbers) {
  InodeNumbers numbers(makedev(8, 1));
  BOOST_TEST(numbers.expose(makedev(8, 1), 4711) == 4711U);
}

BOOST_AUTO_TEST_CASE(the_same_number_on_other_devices_is_another_file) {
  InodeNumbers numbers(1);
  std::set<std::uint64_t> seen;
  for (std::uint64_t device = 1; device <= 100; ++device) {
    for (const std::uint64_t inode : {std::uint64_t{2}, (std::uint64_t{1} << 48) + 2,
                                      std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
      BOOST_TEST(seen.insert(numbers.expose(device, inode)).second);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_file_has_the_same_number_each_time) {
  InodeNumbers numbers(1);
  for (const std::uint64_t inode : {std::uint64_t{2}, ~std::uint64_t{0}}) {
    const auto first = numbers.expose(7, inode);
    numbers.expose(8, inode);
    BOOST_TEST(numbers.expose(7, inode) == first);
  }
}

BOOST_AUTO_TEST_CASE(more_devices_than_are_counted_still_get_numbers) {
  InodeNumbers numbers(1);
  std::set<std::uint64_t> seen;
  for (std::uint64_t device = 1; device <= 40'000; ++device) {
    seen.insert(numbers.expose(device, 2));
  }
  BOOST_TEST(seen.size() == 40'000U);
}

BOOST_AUTO_TEST_CASE(device_numbers_are_sent_in_the_kernels_own_form) {
  const AccessPolicy policy = AccessPolicy::create(Ownership::Squash, true).value();
  InodeNumbers numbers(0);
  struct statx stat {};
  stat.stx_rdev_major = 0x123;
  stat.stx_rdev_minor = 0x45678;
  BOOST_TEST(to_attr(stat, policy, numbers).rdev == 0x45612378U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
