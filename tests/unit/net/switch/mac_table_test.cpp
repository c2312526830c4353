#include <boost/test/unit_test.hpp>
#include <net/switch/mac_table.hpp>

namespace capsa::net::test {

namespace {

using Learned = MacTable::Learned;
constexpr MacTable::Time kNow{std::chrono::hours(1)};

}  // namespace

BOOST_AUTO_TEST_SUITE(net_mac_table)

BOOST_AUTO_TEST_CASE(a_key_is_the_address_with_its_first_byte_highest) {
  BOOST_TEST(MacTable::key(MacAddress({1, 2, 3, 4, 5, 6})) == 0x010203040506U);
}

BOOST_AUTO_TEST_CASE(the_places_of_all_ports_together_have_an_end) {
  MacTable table(64);
  for (MacTable::Key station = 1; station <= 1024; ++station)
    BOOST_REQUIRE((table.learn(station, static_cast<MacTable::Port>(station % 32), false, kNow) ==
                   Learned::New));
  BOOST_TEST((table.learn(2000, 40, false, kNow) == Learned::NoPlace));
  BOOST_TEST(table.learned() == 1024U);
  BOOST_TEST(table.learned(5) == 32U);
  for (MacTable::Key station = 1; station <= 1024; ++station)
    BOOST_REQUIRE((table.find(station, kNow) == station % 32));
  // A port's own station is always found a place.
  BOOST_TEST(table.pin(2000, 40));
  BOOST_TEST((table.find(2000, kNow) == 40));
  table.forget(5);
  BOOST_TEST(table.learned() == 1024U - 32U);
  BOOST_TEST(!table.find(5, kNow));
  BOOST_TEST((table.find(6, kNow) == 6));
  BOOST_TEST((table.learn(2001, 40, false, kNow) == Learned::New));
}

BOOST_AUTO_TEST_CASE(what_is_heard_again_stays_and_the_rest_expires) {
  MacTable table(4);
  table.learn(1, 1, false, kNow);
  table.learn(2, 1, false, kNow);
  BOOST_TEST((table.learn(2, 1, false, kNow + std::chrono::seconds(200)) == Learned::Known));
  table.pin(3, 2);
  const auto later = kNow + MacTable::kAge;
  BOOST_TEST(!table.find(1, later));
  BOOST_TEST((table.find(2, later) == 1));
  table.expire(later);
  BOOST_TEST(table.learned() == 1U);
  table.expire(later + MacTable::kAge);
  BOOST_TEST(table.learned() == 0U);
  BOOST_TEST(table.learned(1) == 0U);
  BOOST_TEST((table.find(3, later + MacTable::kAge) == 2));
}

BOOST_AUTO_TEST_CASE(an_old_place_is_taken_over_without_waiting) {
  MacTable table(4);
  table.learn(1, 1, true, kNow);
  BOOST_TEST((table.learn(1, 2, false, kNow) == Learned::Held));
  BOOST_TEST((table.learn(1, 2, false, kNow + MacTable::kAge) == Learned::New));
  BOOST_TEST(table.learned(1) == 0U);
  BOOST_TEST(table.learned(2) == 1U);
  BOOST_TEST(table.learned() == 1U);
}

BOOST_AUTO_TEST_CASE(an_old_place_of_a_full_port_is_renewed) {
  MacTable table(4);
  for (MacTable::Key station = 0; station < 64; ++station)
    table.learn(station, 1, false, kNow);
  BOOST_TEST((table.learn(64, 1, false, kNow) == Learned::NoPlace));
  BOOST_TEST((table.learn(7, 1, false, kNow + MacTable::kAge) == Learned::New));
  BOOST_TEST(table.learned(1) == 64U);
}

BOOST_AUTO_TEST_CASE(a_pin_replaces_what_was_learned_and_yields_to_no_other_pin) {
  MacTable table(2);
  table.learn(1, 0, false, kNow);
  BOOST_TEST(table.pin(1, 1));
  BOOST_TEST(table.learned() == 0U);
  BOOST_TEST(table.learned(0) == 0U);
  BOOST_TEST(!table.pin(1, 0));
  BOOST_TEST(table.pin(1, 1));
  BOOST_TEST((table.learn(1, 0, true, kNow + std::chrono::hours(9)) == Learned::Held));
  BOOST_TEST(table.pin(2, 0));
  BOOST_TEST(!table.pin(3, 0));
  table.forget(0);
  BOOST_TEST(table.pin(3, 0));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
