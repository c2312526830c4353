#include <boost/test/unit_test.hpp>
#include <net/host_nat/rules.hpp>

using namespace capsa;
using namespace capsa::net::host_nat;

BOOST_AUTO_TEST_SUITE(rules)

BOOST_AUTO_TEST_CASE(the_text_is_what_nft_takes) {
  const std::string text = ruleset({"capsa_7_1", "capsa0", IpAddress::v4(10, 0, 4, 15)});
  const std::string expected =
      "create table inet capsa_7_1\n"
      "add chain inet capsa_7_1 leaving { type nat hook postrouting priority srcnat; policy "
      "accept; }\n"
      "add rule inet capsa_7_1 leaving ip saddr 10.0.4.15 oifname != \"capsa0\" masquerade\n"
      "add chain inet capsa_7_1 passing { type filter hook forward priority filter; policy "
      "accept; }\n"
      "add rule inet capsa_7_1 passing iifname \"capsa0\" ip saddr 10.0.4.15 accept\n"
      "add rule inet capsa_7_1 passing oifname \"capsa0\" ct state established,related accept\n"
      "add rule inet capsa_7_1 passing iifname \"capsa0\" drop\n"
      "add rule inet capsa_7_1 passing oifname \"capsa0\" drop\n";
  BOOST_TEST(text == expected);
  BOOST_TEST(removal("capsa_7_1") == "add table inet capsa_7_1\ndelete table inet capsa_7_1\n");
}

BOOST_AUTO_TEST_CASE(names_are_read_as_they_are_written) {
  const TableName name{4711, 12};
  BOOST_TEST(name.to_string() == "capsa_4711_12");
  const auto read = TableName::parse("capsa_4711_12");
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST(read->owner == 4711);
  BOOST_TEST(read->number == 12U);
}

BOOST_AUTO_TEST_CASE(names_of_others_are_none) {
  // What is recorded in a file is given to nft: nothing but a name gets there.
  for (const auto* text :
       {"", "filter", "capsa_", "capsa_1", "capsa_1_", "capsa__1", "capsa_1_2_3", "capsa_1_2;",
        "capsa_1_2\nflush ruleset", "capsa_-1_2", "capsa_1_-2", "capsa_1_2 ", "Capsa_1_2"})
    BOOST_TEST(!TableName::parse(text).has_value(), text);
}

BOOST_AUTO_TEST_SUITE_END()
