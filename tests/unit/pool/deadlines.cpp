#include <tests/unit/pool/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

BOOST_AUTO_TEST_SUITE(pool_deadlines)

BOOST_AUTO_TEST_CASE(who_waits_is_served_in_turn) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve(10);
  pool.reserve(11);
  pool.reserve(12);
  BOOST_TEST(pool.wanted() == "give 1 to 10, Reserved 1/0");
  pool.gone(1);
  pool.booted(2);
  BOOST_TEST(pool.wanted() == "Destroyed 1/0, boot 2, Available 2/1, give 2 to 11, Reserved 2/0");
  pool.gone(2);
  pool.booted(3);
  BOOST_TEST(pool.wanted() == "Destroyed 2/0, boot 3, Available 3/1, give 3 to 12, Reserved 3/0");
}

BOOST_AUTO_TEST_CASE(a_waiter_whose_deadline_passes_takes_nothing) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve(10);
  pool.reserve_for(11, 5s);
  pool.reserve(12);
  pool.wanted();
  BOOST_TEST((pool.wait() == 5s));
  BOOST_TEST(pool.wanted() == "refuse 11 timeout");
  pool.gone(1);
  pool.booted(2);
  BOOST_TEST(pool.wanted() == "Destroyed 1/0, boot 2, Available 2/1, give 2 to 12, Reserved 2/0");
}

BOOST_AUTO_TEST_CASE(a_deadline_that_passed_counts_though_the_timer_is_late) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve(10);
  pool.reserve_for(11, 5s);
  pool.gone(1);
  pool.wanted();
  pool.now += 6s;
  pool.booted(2);
  BOOST_TEST(pool.wanted() == "Available 2/1, refuse 11 timeout");
  BOOST_TEST(pool.core.available() == 1U);
}

BOOST_AUTO_TEST_CASE(the_earliest_deadline_is_woken_for_whoever_stands_first) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve(10);
  pool.reserve_for(11, 50s);
  pool.reserve_for(12, 3s);
  pool.wanted();
  BOOST_TEST((pool.wait() == 3s));
  BOOST_TEST(pool.wanted() == "refuse 12 timeout");
  BOOST_TEST((pool.wait() == 47s));
  BOOST_TEST(pool.wanted() == "refuse 11 timeout");
  BOOST_TEST(!pool.core.wakeup());
}

BOOST_AUTO_TEST_CASE(who_only_looks_gets_what_is_there_or_a_time_out) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve_for(10, 0s);
  BOOST_TEST(pool.wanted() == "give 1 to 10, Reserved 1/0");
  pool.reserve_for(11, 0s);
  BOOST_TEST(pool.wanted() == "refuse 11 timeout");
  BOOST_TEST(pool.core.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(a_try_is_answered_at_once_and_overtakes_nobody) {
  PoolFixture pool(1);
  pool.build(1);
  pool.core.try_reserve(10, pool.now);
  BOOST_TEST(pool.wanted() == "give 1 to 10, Reserved 1/0");
  pool.core.try_reserve(11, pool.now);
  BOOST_TEST(pool.wanted() == "refuse 11 resource_exhausted");
  pool.reserve(12);
  pool.gone(1);
  pool.booted(2);
  // It came for the one who waited.
  pool.core.try_reserve(13, pool.now);
  BOOST_TEST(pool.wanted() ==
             "Destroyed 1/0, boot 2, Available 2/1, give 2 to 12, Reserved 2/0, "
             "refuse 13 resource_exhausted");
}

BOOST_AUTO_TEST_SUITE_END()
