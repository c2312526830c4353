#include <boost/test/unit_test.hpp>
#include <net/neighbor/rate_limit.hpp>

namespace capsa::net::neighbor {
namespace {

using namespace std::chrono_literals;

MacAddress mac(unsigned number) {
  return MacAddress(
      {2, 0, 0, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_neighbor_rate_limit)

BOOST_AUTO_TEST_CASE(a_burst_is_served_and_then_one_each_interval) {
  RateLimit limit(3, 100ms);
  RateLimit::Time now{};
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(limit.take(mac(1), now));
  BOOST_TEST(!limit.take(mac(1), now));
  BOOST_TEST(limit.take(mac(2), now));  // another guest has its own
  now += 99ms;
  BOOST_TEST(!limit.take(mac(1), now));
  now += 1ms;
  BOOST_TEST(limit.take(mac(1), now));
  BOOST_TEST(!limit.take(mac(1), now));
  now += 1h;
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(limit.take(mac(1), now));
  BOOST_TEST(!limit.take(mac(1), now));
}

BOOST_AUTO_TEST_CASE(guests_that_are_idle_make_room_for_new_ones) {
  RateLimit limit(3, 100ms);
  RateLimit::Time now{};
  for (unsigned i = 0; i < RateLimit::kMaxGuests; ++i)
    BOOST_TEST(limit.take(mac(i), now));
  BOOST_TEST(!limit.take(mac(5000), now));
  BOOST_TEST(limit.take(mac(0), now));
  now += 100ms;
  BOOST_TEST(limit.take(mac(5000), now));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::neighbor
