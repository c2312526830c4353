#include <boost/test/unit_test.hpp>
#include <net/switch/token_bucket.hpp>

namespace capsa::net::test {

namespace {

using namespace std::chrono_literals;

int taken(TokenBucket& bucket, TokenBucket::Time now) {
  int count = 0;
  while (count < 1000 && bucket.take(now))
    ++count;
  return count;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_token_bucket)

BOOST_AUTO_TEST_CASE(a_burst_is_followed_by_the_rate) {
  TokenBucket bucket({.per_second = 10, .burst = 5});
  TokenBucket::Time now{1h};
  BOOST_TEST(taken(bucket, now) == 5);
  BOOST_TEST(taken(bucket, now += 99ms) == 0);
  BOOST_TEST(taken(bucket, now += 1ms) == 1);
  BOOST_TEST(taken(bucket, now += 300ms) == 3);
  BOOST_TEST(taken(bucket, now += 24h) == 5);
}

BOOST_AUTO_TEST_CASE(a_clock_that_goes_back_gives_nothing) {
  TokenBucket bucket({.per_second = 10, .burst = 1});
  const TokenBucket::Time now{1h};
  BOOST_TEST(taken(bucket, now) == 1);
  BOOST_TEST(taken(bucket, now - 10min) == 0);
  BOOST_TEST(taken(bucket, now + 99ms) == 0);
  BOOST_TEST(taken(bucket, now + 100ms) == 1);
}

BOOST_AUTO_TEST_CASE(no_rate_is_no_limit_and_no_burst_is_one_of_one) {
  TokenBucket free(RateLimit{});
  BOOST_TEST(taken(free, {}) == 1000);
  TokenBucket one({.per_second = 4'000'000'000, .burst = 0});
  BOOST_TEST(taken(one, {}) == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
