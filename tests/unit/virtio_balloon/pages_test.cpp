#include <array>
#include <backends/virtio/balloon/pages.hpp>
#include <boost/test/unit_test.hpp>

namespace capsa::virtio::balloon::test {

namespace {

std::vector<PageRun> merged(std::vector<PageNumber> pages) {
  return merge(pages);
}

using Runs = std::vector<PageRun>;

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_balloon_pages)

BOOST_AUTO_TEST_CASE(neighbours_in_any_order_make_one_run) {
  BOOST_TEST(merged({}).empty());
  BOOST_TEST((merged({7}) == Runs{{7, 1}}));
  BOOST_TEST((merged({9, 8, 7, 5, 4}) == Runs{{4, 2}, {7, 3}}));
  BOOST_TEST((merged({1, 3, 2}) == Runs{{1, 3}}));
}

BOOST_AUTO_TEST_CASE(a_page_named_twice_counts_once) {
  BOOST_TEST((merged({5, 5, 5}) == Runs{{5, 1}}));
  BOOST_TEST((merged({6, 5, 6, 5, 9}) == Runs{{5, 2}, {9, 1}}));
}

BOOST_AUTO_TEST_CASE(the_last_page_numbers_do_not_wrap) {
  BOOST_TEST((merged({0xffff'ffff, 0xffff'fffe, 0}) == Runs{{0, 1}, {0xffff'fffe, 2}}));
}

BOOST_AUTO_TEST_CASE(what_hangs_over_is_cut_off) {
  alignas(4096) static std::array<std::byte, 4 * 4096> memory;
  const std::span<std::byte> all(memory);
  BOOST_TEST(whole_pages(all).data() == all.data());
  BOOST_TEST(whole_pages(all).size() == all.size());
  BOOST_TEST(whole_pages(all.subspan(1)).data() == all.data() + 4096);
  BOOST_TEST(whole_pages(all.subspan(1)).size() == 3U * 4096);
  BOOST_TEST(whole_pages(all.subspan(1, 3 * 4096)).size() == 2U * 4096);
  BOOST_TEST(whole_pages(all.first(4095)).empty());
  BOOST_TEST(whole_pages(all.subspan(1, 4095)).empty());
  BOOST_TEST(whole_pages(all.subspan(1, 4096)).empty());
  BOOST_TEST(whole_pages(all.subspan(5, 10)).empty());
  BOOST_TEST(whole_pages({}).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::balloon::test
