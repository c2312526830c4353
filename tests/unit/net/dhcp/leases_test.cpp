#include <boost/test/unit_test.hpp>
#include <net/dhcp/leases.hpp>
#include <set>
#include <tests/unit/net/dhcp/client.hpp>

namespace capsa::net::dhcp {
namespace {

using namespace std::chrono_literals;
using test::ip;
using test::mac;

struct Fixture {
  Leases leases{ip("10.0.2.15"), ip("10.0.2.254"), ip("10.0.2.2")};
  Leases::Time now{};

  std::optional<IpAddress> get(unsigned guest, std::optional<IpAddress> wanted = {}) {
    return leases.allocate(mac(guest), wanted, now, now + 1h);
  }
  void fill() {
    for (unsigned i = 1; i <= 240; ++i)
      BOOST_REQUIRE(get(i));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(net_dhcp_leases, Fixture)

BOOST_AUTO_TEST_CASE(seventeen_and_240_guests_get_an_address_each_and_the_241st_none) {
  std::set<IpAddress> given;
  for (unsigned i = 1; i <= 240; ++i) {
    const auto address = get(i);
    BOOST_REQUIRE(address);
    BOOST_TEST(*address == IpAddress::v4(10, 0, 2, static_cast<std::uint8_t>(14 + i)));
    given.insert(*address);
    if (i == 17) BOOST_TEST(given.size() == 17U);
  }
  BOOST_TEST(given.size() == 240U);
  BOOST_TEST(!get(241).has_value());
  BOOST_TEST(leases.live(now) == 240U);
}

BOOST_AUTO_TEST_CASE(a_guest_keeps_its_address_after_its_lease_ended) {
  const auto address = get(1);
  get(2);
  now += 100h;
  BOOST_TEST(leases.live(now) == 0U);
  BOOST_TEST((get(3) != address));
  BOOST_TEST((get(1) == address));
}

BOOST_AUTO_TEST_CASE(an_ended_lease_is_reused_only_when_nothing_else_is_left_oldest_first) {
  fill();
  leases.claim(mac(5), ip("10.0.2.19"), now, now + 10min);
  leases.claim(mac(9), ip("10.0.2.23"), now, now + 5min);
  now += 11min;
  BOOST_TEST((get(300) == ip("10.0.2.23")));
  BOOST_TEST((get(301) == ip("10.0.2.19")));
  BOOST_TEST(!get(302).has_value());
  BOOST_TEST(!leases.address_of(mac(9)).has_value());
}

BOOST_AUTO_TEST_CASE(a_wish_is_granted_where_the_address_is_free_and_of_the_range) {
  BOOST_TEST((get(1, ip("10.0.2.100")) == ip("10.0.2.100")));
  BOOST_TEST((get(2, ip("10.0.2.100")) == ip("10.0.2.15")));
  BOOST_TEST((get(3, ip("10.0.2.2")) == ip("10.0.2.16")));
  BOOST_TEST((get(4, ip("10.0.2.255")) == ip("10.0.2.17")));
  BOOST_TEST((get(5, ip("192.0.2.1")) == ip("10.0.2.18")));
  BOOST_TEST((get(1, ip("10.0.2.101")) == ip("10.0.2.100")));
}

BOOST_AUTO_TEST_CASE(only_the_owner_can_claim_renew_and_end_a_lease) {
  get(1);
  BOOST_TEST(!leases.claim(mac(2), ip("10.0.2.15"), now, now + 1h));
  BOOST_TEST(!leases.claim(mac(1), ip("10.0.2.16"), now, now + 1h));
  BOOST_TEST(leases.claim(mac(1), ip("10.0.2.15"), now, now + 1h));
  BOOST_TEST(leases.claim(mac(2), ip("10.0.2.16"), now, now + 1h));
  BOOST_TEST(!leases.claim(mac(3), ip("10.0.2.2"), now, now + 1h));
  leases.end(mac(2), ip("10.0.2.15"), now);
  BOOST_TEST(leases.live(now) == 2U);
  leases.end(mac(2), ip("10.0.2.16"), now);
  BOOST_TEST(leases.live(now) == 1U);
}

BOOST_AUTO_TEST_CASE(a_declined_address_is_set_aside_for_a_while) {
  get(1);
  leases.decline(mac(2), ip("10.0.2.15"), now, now + 10min);  // not its own
  BOOST_TEST(leases.address_of(mac(1)).has_value());
  leases.decline(mac(1), ip("10.0.2.15"), now, now + 10min);
  BOOST_TEST((get(1, ip("10.0.2.15")) == ip("10.0.2.16")));
  BOOST_TEST(!leases.claim(mac(2), ip("10.0.2.15"), now, now + 1h));
  now += 10min;
  BOOST_TEST((get(2) == ip("10.0.2.15")));
}

BOOST_AUTO_TEST_CASE(a_guest_that_declines_everything_does_not_empty_the_range) {
  for (int i = 0; i < 500; ++i) {
    const auto address = get(1);
    BOOST_REQUIRE(address);
    leases.decline(mac(1), *address, now, now + 10min);
  }
  for (unsigned i = 2; i <= 236; ++i)
    BOOST_TEST(get(i).has_value());
}

BOOST_AUTO_TEST_CASE(a_reserved_address_is_nobody_elses) {
  leases.reserve(mac(1), ip("10.0.2.15")).value();
  leases.reserve(mac(2), ip("10.0.2.10")).value();  // outside of the range
  BOOST_TEST((get(3) == ip("10.0.2.16")));
  BOOST_TEST((get(1, ip("10.0.2.99")) == ip("10.0.2.15")));
  BOOST_TEST((get(2) == ip("10.0.2.10")));
  BOOST_TEST(!leases.reserve(mac(4), ip("10.0.2.15")).ok());
  BOOST_TEST(!leases.reserve(mac(4), ip("10.0.2.16")).ok());
  BOOST_TEST(!leases.reserve(mac(4), ip("10.0.2.2")).ok());
  leases.reserve(mac(1), ip("10.0.2.15")).value();  // again
  leases.reserve(mac(1), ip("10.0.2.20")).value();  // moved
  BOOST_TEST((get(5) == ip("10.0.2.15")));
  leases.decline(mac(1), ip("10.0.2.20"), now, now + 10min);
  BOOST_TEST((get(1) == ip("10.0.2.20")));
  leases.unreserve(mac(1));
  leases.unreserve(mac(5));  // is not reserved
  BOOST_TEST((get(6, ip("10.0.2.20")) == ip("10.0.2.20")));
  BOOST_TEST(leases.address_of(mac(5)).has_value());
}

BOOST_AUTO_TEST_CASE(a_reserved_address_is_not_reused_when_the_range_is_exhausted) {
  leases.reserve(mac(1000), ip("10.0.2.15")).value();
  for (unsigned i = 1; i <= 239; ++i)
    BOOST_TEST(get(i).has_value());
  now += 30min;
  BOOST_TEST(!get(240).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dhcp
