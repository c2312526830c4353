#include <tests/unit/pool/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

BOOST_AUTO_TEST_SUITE(pool_shutdown)

BOOST_AUTO_TEST_CASE(every_waiter_is_told_and_what_is_not_reserved_is_destroyed) {
  PoolFixture pool(2);
  pool.build(2);
  pool.reserve(10);
  pool.reserve(11);
  pool.reserve(12);
  pool.reserve_for(13, 5s);
  pool.gone(2);
  pool.wanted();
  pool.close();
  BOOST_TEST(pool.wanted() == "refuse 12 pool_shutdown, refuse 13 pool_shutdown, destroy 3");
  BOOST_TEST(!pool.core.wakeup());
  pool.gone(3);
  BOOST_TEST(pool.wanted() == "Shutdown 0/0, closed");
  // What was reserved goes when its holder wants it to, and nothing takes its place.
  pool.gone(1);
  BOOST_TEST(pool.wanted() == "Destroyed 1/0");
}

BOOST_AUTO_TEST_CASE(who_comes_later_is_told_at_once) {
  PoolFixture pool(1);
  pool.build(1);
  pool.close();
  BOOST_TEST(pool.wanted() == "destroy 1");
  pool.reserve(10);
  pool.core.try_reserve(11, pool.now);
  BOOST_TEST(pool.wanted() == "refuse 10 pool_shutdown, refuse 11 pool_shutdown");
}

BOOST_AUTO_TEST_CASE(a_member_that_comes_up_or_fails_meanwhile_is_given_to_nobody) {
  PoolFixture pool(2);
  pool.build(2);
  pool.reserve(10);
  pool.reserve(11);
  pool.gone(1);
  pool.gone(2);
  pool.wanted();
  pool.close();
  pool.booted(3);
  pool.failed(4);
  BOOST_TEST(pool.wanted() == "destroy 3, destroy 4");
  pool.gone(4);
  BOOST_TEST(pool.wanted() == "");
  pool.gone(3);
  BOOST_TEST(pool.wanted() == "Shutdown 0/0, closed");
}

BOOST_AUTO_TEST_CASE(closing_twice_is_closing_once_and_the_first_reason_counts) {
  PoolFixture pool(1);
  pool.build(1);
  pool.close();
  pool.core.close(error(ErrorCode::RuntimeShutdown, "later"));
  pool.gone(1);
  BOOST_TEST(pool.wanted() == "destroy 1, Shutdown 0/0, closed");
  pool.reserve(10);
  BOOST_TEST(pool.wanted() == "refuse 10 pool_shutdown");
}

BOOST_AUTO_TEST_CASE(a_pool_with_all_of_its_vms_reserved_closes_at_once) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve(10);
  pool.wanted();
  pool.close();
  BOOST_TEST(pool.wanted() == "Shutdown 0/0, closed");
}

BOOST_AUTO_TEST_CASE(one_that_is_closed_while_it_is_built_says_so_to_its_builder) {
  PoolFixture pool(2);
  pool.booted(1);
  pool.wanted();
  pool.core.close(error(ErrorCode::RuntimeShutdown, "the runtime ends"));
  BOOST_TEST(pool.wanted() == "destroy 1, destroy 2");
  pool.gone(1);
  pool.gone(2);
  BOOST_TEST(pool.wanted() == "not built: runtime_shutdown, Shutdown 0/0, closed");
}

BOOST_AUTO_TEST_SUITE_END()
