#include <boost/test/unit_test.hpp>
#include <tools/cli/progress.hpp>

using capsa::cli::draw_progress;

BOOST_AUTO_TEST_SUITE(progress)

BOOST_AUTO_TEST_CASE(a_bar_fills_up) {
  BOOST_TEST(draw_progress("step", 0, 10, 80) == "[........................]   0 % step");
  BOOST_TEST(draw_progress("step", 5, 10, 80) == "[############............]  50 % step");
  BOOST_TEST(draw_progress("step", 10, 10, 80) == "[########################] 100 % step");
}

BOOST_AUTO_TEST_CASE(more_than_all_is_all) {
  BOOST_TEST(draw_progress("step", 11, 10, 80) == draw_progress("step", 10, 10, 80));
  BOOST_TEST(draw_progress("step", ~0ULL, 1, 80) == draw_progress("step", 1, 1, 80));
}

BOOST_AUTO_TEST_CASE(without_a_total_there_is_no_bar) {
  BOOST_TEST(draw_progress("step", 3, 0, 80) == "step");
}

BOOST_AUTO_TEST_CASE(a_narrow_terminal_gets_what_fits) {
  BOOST_TEST(draw_progress("step", 0, 10, 5) == "[....");
}

BOOST_AUTO_TEST_SUITE_END()
