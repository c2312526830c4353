#include <tests/unit/pool/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

BOOST_AUTO_TEST_SUITE(pool_members)

BOOST_AUTO_TEST_CASE(all_boot_at_once_and_then_the_pool_is_built) {
  PoolFixture pool(3);
  BOOST_TEST(pool.wanted() == "boot 1, boot 2, boot 3");
  pool.booted(2);
  pool.booted(1);
  BOOST_TEST(pool.wanted() == "Available 2/1, Available 1/2");
  pool.booted(3);
  BOOST_TEST(pool.wanted() == "Available 3/3, built");
  BOOST_TEST(pool.core.available() == 3U);
  BOOST_TEST(!pool.core.wakeup());
}

BOOST_AUTO_TEST_CASE(no_more_boot_at_once_than_are_allowed) {
  PoolFixture pool(5, 2);
  BOOST_TEST(pool.wanted() == "boot 1, boot 2");
  pool.booted(2);
  BOOST_TEST(pool.wanted() == "Available 2/1, boot 3");
  pool.booted(3);
  pool.booted(1);
  BOOST_TEST(pool.wanted() == "Available 3/2, boot 4, Available 1/3, boot 5");
}

BOOST_AUTO_TEST_CASE(who_has_been_available_for_longest_is_given_first) {
  PoolFixture pool(2);
  pool.wanted();
  pool.booted(2);
  pool.booted(1);
  pool.wanted();
  pool.reserve(10);
  pool.reserve(11);
  BOOST_TEST(pool.wanted() == "give 2 to 10, Reserved 2/1, give 1 to 11, Reserved 1/0");
}

BOOST_AUTO_TEST_CASE(a_slot_is_filled_only_when_nothing_of_its_vm_is_left) {
  PoolFixture pool(1);
  pool.build(1);
  pool.reserve(10);
  pool.wanted();
  // Its end is its holder's; a report of it from elsewhere changes nothing.
  pool.failed(1);
  BOOST_TEST(pool.wanted() == "");
  pool.gone(1);
  BOOST_TEST(pool.wanted() == "Destroyed 1/0, boot 2");
  pool.booted(2);
  BOOST_TEST(pool.wanted() == "Available 2/1");
}

BOOST_AUTO_TEST_CASE(a_member_that_ends_by_itself_is_lost_and_replaced) {
  PoolFixture pool(2);
  pool.build(2);
  pool.pass(1min);
  pool.failed(1);
  BOOST_TEST(pool.wanted() == "destroy 1, MemberLost 1/1");
  pool.failed(1);
  BOOST_TEST(pool.wanted() == "");
  pool.gone(1);
  BOOST_TEST(pool.wanted() == "boot 3");
}

BOOST_AUTO_TEST_CASE(a_member_that_is_gone_before_anybody_says_why_is_lost_too) {
  PoolFixture pool(1);
  pool.build(1);
  pool.pass(1min);
  pool.gone(1);
  BOOST_TEST(pool.wanted() == "destroy 1, MemberLost 1/0, boot 2");
  pool.gone(2);
  BOOST_TEST(pool.wanted() == "destroy 2, RefillFailed 2/0");
}

BOOST_AUTO_TEST_CASE(a_lost_member_is_given_to_nobody) {
  PoolFixture pool(1);
  pool.build(1);
  pool.pass(1min);
  pool.failed(1);
  pool.wanted();
  pool.reserve(10);
  BOOST_TEST(pool.wanted() == "");
  pool.gone(1);
  pool.booted(2);
  BOOST_TEST(pool.wanted() == "boot 2, Available 2/1, give 2 to 10, Reserved 2/0");
}

BOOST_AUTO_TEST_CASE(reports_on_members_that_never_were_are_ignored) {
  PoolFixture pool(1);
  pool.build(1);
  pool.booted(7);
  pool.failed(7);
  pool.gone(7);
  pool.core.checked(7);
  pool.booted(1);
  BOOST_TEST(pool.wanted() == "");
  BOOST_TEST(pool.core.available() == 1U);
}

BOOST_AUTO_TEST_CASE(idle_members_are_asked_every_thirty_seconds_and_reserved_ones_are_not) {
  PoolFixture pool(2, 100, true);
  pool.build(2);
  BOOST_TEST((pool.wait() == 30s));
  BOOST_TEST(pool.wanted() == "check 1, check 2");
  pool.core.checked(1);
  pool.core.checked(2);
  pool.reserve(10);
  pool.wanted();
  BOOST_TEST((pool.wait() == 30s));
  BOOST_TEST(pool.wanted() == "check 2");
  // The answer is still due: it is not asked twice.
  BOOST_TEST((pool.wait() == 30s));
  BOOST_TEST(pool.wanted() == "");
  pool.failed(2);
  BOOST_TEST(pool.wanted() == "destroy 2, MemberLost 2/0");
}

BOOST_AUTO_TEST_CASE(where_nobody_is_idle_nothing_is_asked_and_no_timer_runs) {
  PoolFixture pool(1, 100, true);
  pool.build(1);
  pool.reserve(10);
  pool.wanted();
  pool.wait();
  BOOST_TEST(pool.wanted() == "");
  BOOST_TEST(!pool.core.wakeup());
  pool.gone(1);
  pool.booted(2);
  pool.wanted();
  BOOST_TEST((pool.wait() == 30s));
  BOOST_TEST(pool.wanted() == "check 2");
}

BOOST_AUTO_TEST_CASE(an_answer_that_comes_when_the_member_is_reserved_changes_nothing) {
  PoolFixture pool(1, 100, true);
  pool.build(1);
  pool.wait();
  pool.reserve(10);
  pool.wanted();
  pool.failed(1);
  pool.core.checked(1);
  BOOST_TEST(pool.wanted() == "");
}

BOOST_AUTO_TEST_SUITE_END()
