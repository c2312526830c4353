#include <boost/test/unit_test.hpp>
#include <net/dns/answer.hpp>
#include <net/dns/record_data.hpp>
#include <string>
#include <tests/unit/net/dns/wire.hpp>

namespace capsa::net::dns {
namespace {

using test::Bytes;
using test::Wire;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

Question question(std::string_view name, Type type = Type::A) {
  return {*Name::from_text(name), type, 1};
}

/// Answer records of a response, counted.
struct Records {
  Wire wire;
  unsigned count = 0;

  Records& address(std::string_view owner, std::string_view text, unsigned ttl = 300) {
    wire.address(owner, text, ttl);
    ++count;
    return *this;
  }
  Records& cname(std::string_view owner, std::string_view target, unsigned ttl = 300) {
    wire.cname(owner, target, ttl);
    ++count;
    return *this;
  }
  Records& record(std::string_view owner, unsigned type, const Bytes& data) {
    wire.record(owner, type, 300, data);
    ++count;
    return *this;
  }
};

CheckedAnswer check(const Question& asked, const Records& records, bool allow_private = false,
                    unsigned rcode = 0, std::string_view soa = {}) {
  Wire message;
  message.header(1, 0x8180 | rcode, 1, records.count, soa.empty() ? 0 : 1)
      .question(asked.name.text(), static_cast<unsigned>(asked.type))
      .raw(records.wire.out);
  if (!soa.empty()) message.soa(soa, 9000);
  const auto response = parse_response(message.out);
  BOOST_REQUIRE(response);
  return check_answer(asked, *response, allow_private);
}

/// a1.x -> a2.x -> … with `count` CNAME records.
Records chain(int count) {
  Records records;
  for (int i = 0; i < count; ++i)
    records.cname("a" + std::to_string(i) + ".x", "a" + std::to_string(i + 1) + ".x");
  return records.address("a" + std::to_string(count) + ".x", "192.0.2.1");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_dns_answer)

BOOST_AUTO_TEST_CASE(many_addresses_are_all_kept) {
  Records records;
  for (int i = 1; i <= 100; ++i)
    records.address("a.x", "192.0.3." + std::to_string(i));
  const auto answer = check(question("a.x"), records);
  BOOST_TEST(answer.addresses.size() == 100U);
  BOOST_TEST(answer.reply.answers.size() == 100U);
  BOOST_TEST(answer.foreign_records == 0U);
}

BOOST_AUTO_TEST_CASE(an_a_question_gets_no_aaaa_and_the_other_way_round) {
  const auto records = Records().address("a.x", "192.0.2.1").address("a.x", "2001:db9::1");
  BOOST_TEST((check(question("a.x"), records).addresses == std::vector{ip("192.0.2.1")}));
  BOOST_TEST(
      (check(question("a.x", Type::Aaaa), records).addresses == std::vector{ip("2001:db9::1")}));
}

BOOST_AUTO_TEST_CASE(a_chain_of_one_and_of_eight_is_followed_from_the_question) {
  for (const int count : {0, 1, 8}) {
    const auto answer = check(question("A0.x"), chain(count));
    BOOST_TEST((answer.reply.rcode == Rcode::NoError));
    BOOST_TEST(answer.chain.size() == static_cast<std::size_t>(count));
    BOOST_TEST(answer.reply.answers.size() == static_cast<std::size_t>(count) + 1);
    BOOST_TEST(answer.addresses.size() == 1U);
  }
  BOOST_TEST(check(question("a0.x"), chain(1)).chain.front().text() == "a1.x");
}

BOOST_AUTO_TEST_CASE(a_chain_of_nine_is_a_failure_without_addresses) {
  const auto answer = check(question("a0.x"), chain(9));
  BOOST_TEST((answer.reply.rcode == Rcode::ServerFailure));
  BOOST_TEST(answer.reply.answers.empty());
  BOOST_TEST(answer.addresses.empty());
  BOOST_TEST(answer.chain.empty());
}

BOOST_AUTO_TEST_CASE(a_loop_is_a_failure_wherever_it_closes) {
  const auto self = Records().cname("a.x", "a.x").address("a.x", "192.0.2.1");
  const auto start = Records().cname("a.x", "b.x").cname("b.x", "A.X").address("a.x", "192.0.2.1");
  const auto middle = Records().cname("a.x", "b.x").cname("b.x", "c.x").cname("c.x", "B.x");
  for (const auto& records : {self, start, middle}) {
    const auto answer = check(question("a.x"), records);
    BOOST_TEST((answer.reply.rcode == Rcode::ServerFailure));
    BOOST_TEST(answer.addresses.empty());
  }
}

BOOST_AUTO_TEST_CASE(the_order_of_the_records_does_not_matter) {
  const auto answer =
      check(question("a.x"),
            Records().address("c.x", "192.0.2.1").cname("b.x", "c.x").cname("a.x", "b.x"));
  BOOST_TEST(answer.addresses.size() == 1U);
  BOOST_TEST(answer.chain.size() == 2U);
}

BOOST_AUTO_TEST_CASE(records_of_another_owner_are_left_out) {
  const auto answer = check(question("a.x"), Records()
                                                 .address("b.x", "192.0.2.1")
                                                 .address("a.x", "192.0.2.2")
                                                 .address("evila.x", "192.0.2.3"));
  BOOST_TEST((answer.addresses == std::vector{ip("192.0.2.2")}));
  BOOST_TEST(answer.foreign_records == 2U);
  BOOST_TEST(answer.reply.answers.size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_address_of_a_name_that_is_an_alias_is_left_out) {
  const auto answer = check(question("a.x"), Records()
                                                 .address("a.x", "192.0.2.1")
                                                 .cname("a.x", "b.x")
                                                 .cname("a.x", "c.x")
                                                 .address("b.x", "192.0.2.2")
                                                 .address("c.x", "192.0.2.3"));
  BOOST_TEST((answer.addresses == std::vector{ip("192.0.2.2")}));
}

BOOST_AUTO_TEST_CASE(an_alias_whose_name_could_be_read_as_another_is_a_failure) {
  const auto answer = check(question("a.x"),
                            Records().record("a.x", 5, test::bytes({3, 'b', '.', 'c', 1, 'x', 0})));
  BOOST_TEST((answer.reply.rcode == Rcode::ServerFailure));
}

BOOST_AUTO_TEST_CASE(private_answers_to_a_public_name_are_dropped) {
  for (const auto* text : {"10.0.0.1",
                           "10.255.255.255",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "127.0.0.1",
                           "127.255.0.1",
                           "0.0.0.0",
                           "0.1.2.3",
                           "169.254.169.254",
                           "100.64.0.1",
                           "224.0.0.1",
                           "255.255.255.255",
                           "240.0.0.1",
                           "::",
                           "::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "::127.0.0.1",
                           "64:ff9b::7f00:1",
                           "64:ff9b::a00:1",
                           "64:ff9b:1::1",
                           "2002:7f00:1::",
                           "fc00::1",
                           "fd12::1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "ff02::1"}) {
    const IpAddress address = ip(text);
    BOOST_TEST(is_private_answer(address), text);
    const auto answer = check(question("a.x", address.is_v4() ? Type::A : Type::Aaaa),
                              Records().cname("a.x", "b.x").address("b.x", text));
    BOOST_TEST(answer.addresses.empty(), text);
    BOOST_TEST(answer.reply.answers.empty(), text);
    BOOST_TEST((answer.reply.rcode == Rcode::NoError), text);
    BOOST_TEST((answer.private_addresses == std::vector{address}), text);
  }
}

BOOST_AUTO_TEST_CASE(public_answers_beside_private_ones_are_kept) {
  const auto answer =
      check(question("a.x"), Records().address("a.x", "192.0.3.1").address("a.x", "127.0.0.1"));
  BOOST_TEST((answer.addresses == std::vector{ip("192.0.3.1")}));
  BOOST_TEST(answer.reply.answers.size() == 1U);
  for (const auto* text : {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "1.1.1.1",
                           "126.255.255.255", "128.0.0.0", "2606:4700::1", "64:ff9b::101:101"})
    BOOST_TEST(!is_private_answer(ip(text)), text);
}

BOOST_AUTO_TEST_CASE(private_answers_are_kept_where_they_are_allowed) {
  const auto answer = check(question("a.x"), Records().address("a.x", "10.0.0.1"), true);
  BOOST_TEST((answer.addresses == std::vector{ip("10.0.0.1")}));
  BOOST_TEST(answer.private_addresses.empty());
}

BOOST_AUTO_TEST_CASE(a_ttl_is_given_as_it_is_and_pinned_for_five_seconds_to_an_hour) {
  struct Row {
    unsigned given, told, pinned;
  };
  for (const Row row : {Row{0, 0, 5}, Row{1, 1, 5}, Row{5, 5, 5}, Row{300, 300, 300},
                        Row{3600, 3600, 3600}, Row{3601, 3600, 3600}, Row{0x7fffffff, 3600, 3600},
                        Row{0x80000000, 0, 5}, Row{0xffffffff, 0, 5}}) {
    const auto answer = check(question("a.x"), Records().address("a.x", "192.0.3.1", row.given));
    BOOST_TEST(answer.reply.answers.front().ttl == row.told, "given " << row.given);
    BOOST_TEST(answer.pin_ttl == row.pinned, "given " << row.given);
  }
}

BOOST_AUTO_TEST_CASE(no_record_lives_longer_than_the_shortest_of_the_chain) {
  const auto answer = check(question("a.x"), Records()
                                                 .cname("a.x", "b.x", 7)
                                                 .address("b.x", "192.0.3.1", 900)
                                                 .address("b.x", "192.0.3.2", 60));
  for (const auto& record : answer.reply.answers)
    BOOST_TEST(record.ttl == 7U);
  BOOST_TEST(answer.pin_ttl == 7U);
}

BOOST_AUTO_TEST_CASE(a_name_that_does_not_exist_comes_with_the_zone_it_is_not_in) {
  const auto answer = check(question("a.b.x"), {}, false, 3, "b.x");
  BOOST_TEST((answer.reply.rcode == Rcode::NameError));
  BOOST_REQUIRE(answer.reply.soa);
  BOOST_TEST(answer.reply.soa->ttl == 3600U);
  BOOST_TEST(!check(question("a.b.x"), {}, false, 3, "c.x").reply.soa.has_value());
}

BOOST_AUTO_TEST_CASE(an_alias_without_an_address_keeps_the_chain_and_the_zone) {
  const auto answer = check(question("a.x"), Records().cname("a.x", "b.y"), false, 0, "y");
  BOOST_TEST(answer.reply.answers.size() == 1U);
  BOOST_TEST(answer.reply.soa.has_value());
}

BOOST_AUTO_TEST_CASE(addresses_beside_a_name_error_are_left_out) {
  const auto answer = check(question("a.x"), Records().address("a.x", "192.0.3.1"), false, 3);
  BOOST_TEST(answer.addresses.empty());
  BOOST_TEST(answer.reply.answers.empty());
}

BOOST_AUTO_TEST_CASE(a_question_for_an_alias_gets_it_and_nothing_else) {
  const auto answer = check(question("a.x", Type::Cname),
                            Records().cname("a.x", "b.x").address("b.x", "192.0.3.1"));
  BOOST_REQUIRE(answer.reply.answers.size() == 1U);
  BOOST_TEST(name_in(answer.reply.answers[0])->text() == "b.x");
  BOOST_TEST(answer.addresses.empty());
}

BOOST_AUTO_TEST_CASE(other_types_pass_as_they_are) {
  const auto data = Wire().u16(10).name("mx.x").out;
  const auto answer = check(question("a.x", Type::Mx),
                            Records().record("a.x", 15, data).address("a.x", "192.0.3.1"));
  BOOST_REQUIRE(answer.reply.answers.size() == 1U);
  BOOST_TEST((answer.reply.answers[0].data == data));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dns
