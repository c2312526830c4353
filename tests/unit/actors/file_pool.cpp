#include <actors/loop/file_pool.hpp>
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <future>
#include <tests/support/test_loop.hpp>
#include <vector>

using namespace capsa;

BOOST_AUTO_TEST_SUITE(file_pool)

BOOST_AUTO_TEST_CASE(who_has_much_to_do_lets_others_in_between) {
  constexpr int kMuch = 100;
  tests::TestLoop loop;
  loop::FilePool pool(1);
  const auto busy = pool.make_executor(loop);
  const auto other = pool.make_executor(loop);
  // One thread does all the work: what it writes is read once all of it is done.
  std::vector<int> order;
  int done = 0;
  std::promise<void> all_there;
  busy->submit([there = all_there.get_future().share()] { there.wait(); }, [&] { ++done; });
  for (int i = 0; i < kMuch; ++i)
    busy->submit([&order] { order.push_back(1); }, [&] { ++done; });
  other->submit([&order] { order.push_back(2); }, [&] { ++done; });
  all_there.set_value();
  BOOST_TEST_REQUIRE(loop.run_until([&] { return done == kMuch + 2; }));
  const auto turn = std::find(order.begin(), order.end(), 2);
  const auto before = std::distance(order.begin(), turn);
  BOOST_TEST(before < kMuch / 2);
}

BOOST_AUTO_TEST_CASE(one_executor_works_in_the_order_in_which_it_was_asked) {
  tests::TestLoop loop;
  loop::FilePool pool(4);
  const auto executor = pool.make_executor(loop);
  std::vector<int> worked;
  std::vector<int> told;
  for (int i = 0; i < 100; ++i)
    executor->submit([&worked, i] { worked.push_back(i); }, [&told, i] { told.push_back(i); });
  BOOST_TEST_REQUIRE(loop.run_until([&] { return told.size() == 100; }));
  BOOST_TEST(std::ranges::is_sorted(worked));
  BOOST_TEST(std::ranges::is_sorted(told));
}

BOOST_AUTO_TEST_SUITE_END()
