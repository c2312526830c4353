#include <tests/unit/pool/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

BOOST_AUTO_TEST_SUITE(pool_failures)

BOOST_AUTO_TEST_CASE(the_first_failure_of_a_new_pool_ends_it_when_nothing_is_left) {
  PoolFixture pool(3, 2);
  pool.wanted();
  pool.booted(1);
  BOOST_TEST(pool.wanted() == "Available 1/1, boot 3");
  pool.failed(2);
  BOOST_TEST(pool.wanted() == "destroy 2, destroy 1, destroy 3");
  pool.failed(3);
  pool.gone(2);
  pool.gone(3);
  BOOST_TEST(pool.wanted() == "");
  pool.gone(1);
  BOOST_TEST(pool.wanted() == "not built: not_found");
  BOOST_TEST(!pool.core.wakeup());
  pool.close();
  BOOST_TEST(pool.wanted() == "Shutdown 0/0, closed");
}

BOOST_AUTO_TEST_CASE(refills_that_fail_are_tried_after_a_delay_that_doubles_up_to_thirty_seconds) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve(10);
  pool.gone(1);
  pool.wanted();
  const std::chrono::nanoseconds expected[] = {100ms,  200ms,   400ms,   800ms, 1600ms, 3200ms,
                                               6400ms, 12800ms, 25600ms, 30s,   30s,    30s};
  MemberId id = 2;
  for (const auto delay : expected) {
    pool.failed(id);
    BOOST_TEST(pool.wanted() ==
               "destroy " + std::to_string(id) + ", RefillFailed " + std::to_string(id) + "/0");
    pool.gone(id);
    BOOST_TEST(pool.wanted() == "");
    BOOST_TEST((pool.wait() == delay), id);
    BOOST_TEST(pool.wanted() == "boot " + std::to_string(++id));
  }
}

BOOST_AUTO_TEST_CASE(
    a_delay_that_ran_out_before_the_failed_one_was_gone_does_not_hold_up_the_next) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve(10);
  pool.gone(1);
  pool.failed(2);
  pool.wanted();
  pool.pass(1s);
  BOOST_TEST(pool.wanted() == "");
  BOOST_TEST(!pool.core.wakeup());
  pool.gone(2);
  BOOST_TEST(pool.wanted() == "boot 3");
}

BOOST_AUTO_TEST_CASE(several_that_fail_together_are_one_setback_and_one_alone_tries_again) {
  PoolFixture pool(3);
  pool.build(3);
  for (WaiterId waiter = 10; waiter < 13; ++waiter)
    pool.reserve(waiter);
  for (MemberId id = 1; id <= 3; ++id)
    pool.gone(id);
  pool.wanted();
  for (MemberId id = 4; id <= 6; ++id) {
    pool.failed(id);
    pool.gone(id);
  }
  pool.wanted();
  BOOST_TEST((pool.wait() == 100ms));
  BOOST_TEST(pool.wanted() == "boot 7");
  pool.failed(7);
  pool.gone(7);
  pool.wanted();
  BOOST_TEST((pool.wait() == 200ms));
  BOOST_TEST(pool.wanted() == "boot 8");
  // Once it works, the others follow at once.
  pool.booted(8);
  BOOST_TEST(pool.wanted() == "Available 8/1, boot 9, boot 10");
  pool.failed(9);
  pool.gone(9);
  pool.wanted();
  BOOST_TEST((pool.wait() == 100ms));
}

BOOST_AUTO_TEST_CASE(members_that_die_as_soon_as_they_are_there_are_not_replaced_ever_faster) {
  PoolFixture pool(1);
  pool.build(1);
  std::chrono::nanoseconds delay = 100ms;
  for (MemberId id = 1; id < 6; ++id) {
    pool.failed(id);
    pool.gone(id);
    pool.wanted();
    BOOST_TEST((pool.wait() == delay), id);
    BOOST_TEST(pool.wanted() == "boot " + std::to_string(id + 1));
    pool.booted(id + 1);
    BOOST_TEST(pool.wanted() == "Available " + std::to_string(id + 1) + "/1");
    delay *= 2;
  }
  // One that was of use shows that it is not they.
  pool.reserve(10);
  pool.gone(6);
  pool.booted(7);
  pool.failed(7);
  pool.gone(7);
  pool.wanted();
  BOOST_TEST((pool.wait() == 100ms));
}

BOOST_AUTO_TEST_CASE(a_member_that_has_lived_is_replaced_without_delay) {
  PoolFixture pool(1);
  pool.build(1);
  pool.pass(10s);
  pool.failed(1);
  pool.gone(1);
  BOOST_TEST(pool.wanted() == "destroy 1, MemberLost 1/0, boot 2");
}

BOOST_AUTO_TEST_CASE(a_boot_that_takes_more_than_five_minutes_has_failed) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve(10);
  pool.gone(1);
  pool.wanted();
  BOOST_TEST((pool.wait() == 5min));
  BOOST_TEST(pool.wanted() == "destroy 2, RefillFailed 2/0");
  // It answers after all.
  pool.booted(2);
  BOOST_TEST(pool.wanted() == "");
  BOOST_TEST(pool.core.available() == 0U);
}

BOOST_AUTO_TEST_CASE(those_who_wait_get_their_vm_when_the_refill_works_again) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve(10);
  pool.reserve(11);
  pool.gone(1);
  pool.failed(2);
  pool.gone(2);
  pool.wait();
  pool.wanted();
  pool.booted(3);
  BOOST_TEST(pool.wanted() == "Available 3/1, give 3 to 11, Reserved 3/0");
}

BOOST_AUTO_TEST_SUITE_END()
