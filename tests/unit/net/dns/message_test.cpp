#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <net/dns/message.hpp>
#include <net/dns/record_data.hpp>
#include <tests/unit/net/dns/wire.hpp>

namespace capsa::net::dns {
namespace {

using test::Bytes;
using test::bytes;
using test::u16_at;
using test::Wire;

Query query_of(const Bytes& message) {
  auto parsed = parse_query(message);
  BOOST_REQUIRE(std::holds_alternative<Query>(parsed));
  return std::get<Query>(parsed);
}

std::optional<Rcode> problem_of(const Bytes& message) {
  auto parsed = parse_query(message);
  BOOST_REQUIRE(std::holds_alternative<BadQuery>(parsed));
  return std::get<BadQuery>(parsed).rcode;
}

constexpr unsigned kAnswer = 0x8180;

}  // namespace

BOOST_AUTO_TEST_SUITE(net_dns_message)

BOOST_AUTO_TEST_CASE(a_query_is_read_byte_by_byte) {
  const Query query = query_of(bytes({0x12, 0x34, 0x01, 0x00, 0,   1,   0, 0, 0,  0, 0, 0,  //
                                      1,    'A',  3,    'o',  'r', 'g', 0, 0, 28, 0, 1}));
  BOOST_TEST(query.id == 0x1234);
  BOOST_TEST(query.recursion_desired);
  BOOST_TEST(query.question.name.text() == "a.org");
  BOOST_TEST((query.question.type == Type::Aaaa));
  BOOST_TEST(query.question.cls == 1);
  BOOST_TEST(!query.edns_size.has_value());
  BOOST_TEST(query.udp_limit() == 512U);
}

BOOST_AUTO_TEST_CASE(a_query_is_encoded_byte_by_byte) {
  const auto wire = encode_query(0xbeef, {*Name::from_text("a.org"), Type::A, 1}, true);
  BOOST_TEST((wire == bytes({0xbe, 0xef, 0x01, 0x00, 0,    1,   0, 0, 0, 0, 0, 1,  //
                             1,    'a',  3,    'o',  'r',  'g', 0, 0, 1, 0, 1,     //
                             0,    0,    41,   0x04, 0xd0, 0,   0, 0, 0, 0, 0})));
  BOOST_TEST((encode_query(1, {*Name::from_text("a.org"), Type::A, 1}, false).size()) == 23U);
}

BOOST_AUTO_TEST_CASE(a_query_cut_anywhere_is_malformed_and_without_a_header_not_answered) {
  const Bytes whole = Wire().header(7, 0x0100, 1, 0, 0, 1).question("a.org", 1).opt(4096).out;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto rcode =
        problem_of({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    if (size < 12)
      BOOST_TEST(!rcode.has_value());
    else
      BOOST_TEST((rcode == Rcode::FormatError));
  }
}

BOOST_AUTO_TEST_CASE(an_answer_is_not_answered) {
  BOOST_TEST(!problem_of(Wire().header(7, 0x8100).question("a.org", 1).out).has_value());
}

BOOST_AUTO_TEST_CASE(a_query_has_one_question_and_nothing_else) {
  for (const unsigned questions : {0U, 2U})
    BOOST_TEST((problem_of(Wire().header(7, 0, questions).question("a", 1).question("b", 1).out) ==
                Rcode::FormatError));
  BOOST_TEST((problem_of(Wire().header(7, 0, 1, 1).question("a", 1).address("a", "1.2.3.4").out) ==
              Rcode::FormatError));
  BOOST_TEST((problem_of(Wire().header(7, 0).question("a", 1).u8(0).out) == Rcode::FormatError));
  BOOST_TEST((problem_of(Wire().header(7, 0x0200).question("a", 1).out) == Rcode::FormatError));
  BOOST_TEST(
      (problem_of(Wire().header(7, 0, 1, 0, 0, 1).question("a", 1).address("a", "1.2.3.4").out) ==
       Rcode::FormatError));
  BOOST_TEST((problem_of(Wire().header(7, 0, 1, 0, 0, 2).question("a", 1).opt(512).opt(512).out) ==
              Rcode::FormatError));
}

BOOST_AUTO_TEST_CASE(other_operations_are_not_implemented) {
  for (unsigned opcode = 1; opcode < 16; ++opcode)
    BOOST_TEST(
        (problem_of(Wire().header(7, opcode << 11).question("a", 1).out) == Rcode::NotImplemented));
  const auto reply = encode_bad_query({7, Rcode::NotImplemented, 5}, Rcode::NotImplemented);
  BOOST_TEST((reply == bytes({0, 7, 0xa8, 4, 0, 0, 0, 0, 0, 0, 0, 0})));
}

BOOST_AUTO_TEST_CASE(a_question_of_a_pointer_is_malformed) {
  BOOST_TEST((problem_of(Wire().header(7, 0).u16(0xc00c).u16(1).u16(1).out) == Rcode::FormatError));
}

BOOST_AUTO_TEST_CASE(the_edns_size_is_kept_between_512_and_1232) {
  const auto limit = [](unsigned size) {
    return query_of(Wire().header(7, 0, 1, 0, 0, 1).question("a.b", 1).opt(size).out).udp_limit();
  };
  BOOST_TEST(limit(0) == 512U);
  BOOST_TEST(limit(512) == 512U);
  BOOST_TEST(limit(1000) == 1000U);
  BOOST_TEST(limit(65535) == 1232U);
}

BOOST_AUTO_TEST_CASE(options_of_edns_are_read_over) {
  const auto query =
      query_of(Wire().header(7, 0, 1, 0, 0, 1).question("a.b", 1).opt(1232, 3, Bytes(40)).out);
  BOOST_TEST(query.edns_version == 3);
}

BOOST_AUTO_TEST_CASE(a_response_is_read_with_its_compressed_names) {
  const auto response = parse_response(bytes({
      0x12, 0x34, 0x81, 0x80, 0, 1, 0,    2, 0, 0,  0, 0,                      //
      1,    'a',  1,    'b',  0, 0, 1,    0, 1,                                //
      0xc0, 12,   0,    5,    0, 1, 0,    0, 0, 60, 0, 4, 1,   'c', 0xc0, 14,  //
      0xc0, 33,   0,    1,    0, 1, 0x80, 0, 0, 0,  0, 4, 192, 0,   2,    1,
  }));
  BOOST_REQUIRE(response);
  BOOST_TEST(response->id == 0x1234);
  BOOST_REQUIRE(response->answers.size() == 2U);
  BOOST_TEST(response->answers[0].ttl == 60U);
  BOOST_TEST(name_in(response->answers[0])->text() == "c.b");
  BOOST_TEST(response->answers[1].owner.text() == "c.b");
  BOOST_TEST(response->answers[1].ttl == 0U);  // RFC 2181: the topmost bit means zero
  BOOST_TEST(*address_in(response->answers[1]) == IpAddress::v4(192, 0, 2, 1));
}

BOOST_AUTO_TEST_CASE(a_response_cut_anywhere_is_none) {
  const Bytes whole = Wire()
                          .header(1, kAnswer, 1, 2, 1)
                          .question("a.b", 1)
                          .cname("a.b", "c.b")
                          .address("c.b", "1.2.3.4")
                          .soa("b")
                          .out;
  BOOST_TEST(parse_response(whole).has_value());
  for (std::size_t size = 0; size < whole.size(); ++size)
    BOOST_TEST(!parse_response({whole.data(), size}).has_value(), "size " << size);
}

BOOST_AUTO_TEST_CASE(a_response_that_says_it_was_cut_is_read_as_such) {
  const auto response =
      parse_response(Wire().header(1, kAnswer | 0x0200, 1, 9).question("a.b", 1).u8(3).out);
  BOOST_REQUIRE(response);
  BOOST_TEST(response->truncated);
  BOOST_TEST(response->answers.empty());
}

BOOST_AUTO_TEST_CASE(a_query_or_another_operation_is_no_response) {
  BOOST_TEST(!parse_response(Wire().header(1, 0x0100).question("a.b", 1).out).has_value());
  BOOST_TEST(!parse_response(Wire().header(1, kAnswer | 1 << 11).question("a.b", 1).out));
  BOOST_TEST(!parse_response(Wire().header(1, kAnswer, 2).question("a", 1).question("b", 1).out));
}

BOOST_AUTO_TEST_CASE(more_records_than_anybody_needs_are_refused) {
  for (const std::size_t count : {kMaxRecords, kMaxRecords + 1}) {
    Wire wire;
    wire.header(1, kAnswer, 1, static_cast<unsigned>(count)).question("a.b", 1);
    for (std::size_t i = 0; i < count; ++i)
      wire.address("a.b", "192.0.2.1");
    BOOST_TEST(parse_response(wire.out).has_value() == (count == kMaxRecords));
  }
}

BOOST_AUTO_TEST_CASE(data_of_the_wrong_length_makes_the_response_malformed) {
  const auto with = [](unsigned type, const Bytes& data) {
    return parse_response(Wire()
                              .header(1, kAnswer, 1, 1)
                              .question("a.b", type)
                              .record("a.b", type, 1, data)
                              .out)
        .has_value();
  };
  BOOST_TEST(with(1, Bytes(4)));
  BOOST_TEST(!with(1, Bytes(3)));
  BOOST_TEST(!with(1, Bytes(5)));
  BOOST_TEST(!with(28, Bytes(4)));
  BOOST_TEST(with(28, Bytes(16)));
  BOOST_TEST(with(15, Wire().u16(10).name("mx.b").out));
  BOOST_TEST(!with(15, Wire().u16(10).name("mx.b").u8(0).out));
  BOOST_TEST(!with(15, Bytes(1)));
  BOOST_TEST(with(33, Wire().u16(1).u16(2).u16(3).name("s.b").out));
  BOOST_TEST(!with(6, Wire().name("n").name("m").raw(Bytes(19)).out));
  BOOST_TEST(with(16, bytes({1, 'a', 2, 'b', 'c'})));
  BOOST_TEST(!with(16, bytes({1, 'a', 3, 'b', 'c'})));
  BOOST_TEST(!with(16, {}));
  BOOST_TEST(with(10, Bytes(100)));  // NULL is left out, whatever it holds
}

BOOST_AUTO_TEST_CASE(records_of_other_types_and_classes_are_left_out) {
  const auto response = parse_response(Wire()
                                           .header(1, kAnswer, 1, 3)
                                           .question("a.b", 1)
                                           .record("a.b", 65, 1, Bytes(30))
                                           .record("a.b", 1, 1, Bytes(4), 3)
                                           .record("a.b", 46, 1, Bytes(30))
                                           .out);
  BOOST_REQUIRE(response);
  BOOST_TEST(response->answers.empty());
}

BOOST_AUTO_TEST_CASE(a_reply_is_encoded_byte_by_byte_and_points_at_names_it_has) {
  Query query;
  query.id = 0x1234;
  query.recursion_desired = true;
  query.question = {*Name::from_text("A.b"), Type::A, 1};
  query.edns_size = 1232;
  Reply reply;
  reply.answers.push_back(address_record(query.question.name, IpAddress::v4(192, 0, 2, 1), 60));
  BOOST_TEST((encode_reply(query, reply, 512) ==
              bytes({0x12, 0x34, 0x81, 0x80, 0,    1, 0, 1, 0, 0,  0, 1,                //
                     1,    'A',  1,    'b',  0,    0, 1, 0, 1,                          //
                     0xc0, 12,   0,    1,    0,    1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1,  //
                     0,    0,    41,   0x04, 0xd0, 0, 0, 0, 0, 0,  0})));
  reply.rcode = Rcode::BadVersion;
  reply.answers.clear();
  const auto bad = encode_reply(query, reply, 512);
  BOOST_TEST((u16_at(bad, 2) & 0xf) == 0U);
  BOOST_TEST((bad[bad.size() - 6] == std::byte{1}));  // 16, its upper bits
}

BOOST_AUTO_TEST_CASE(a_reply_that_does_not_fit_says_so_and_has_no_records) {
  Query query;
  query.question = {*Name::from_text("a.b"), Type::A, 1};
  Reply reply;
  while (encode_reply(query, reply, kMaxMessage).size() + 16 <= 512)
    reply.answers.push_back(address_record(query.question.name, IpAddress::v4(1, 2, 3, 4), 60));
  const auto fits = encode_reply(query, reply, 512);
  BOOST_TEST(u16_at(fits, 6) == reply.answers.size());
  BOOST_TEST((u16_at(fits, 2) & 0x0200U) == 0U);
  reply.answers.push_back(reply.answers[0]);
  const auto cut = encode_reply(query, reply, 512);
  BOOST_TEST((u16_at(cut, 2) & 0x0200U) != 0U);
  BOOST_TEST(u16_at(cut, 6) == 0U);
  BOOST_TEST(cut.size() == 21U);
  BOOST_TEST(encode_reply(query, reply, kMaxMessage).size() > 512U);
}

BOOST_AUTO_TEST_CASE(what_we_encode_we_read) {
  Query query;
  query.question = {*Name::from_text("www.example.org"), Type::A, 1};
  Reply reply;
  reply.answers.push_back({query.question.name, Type::Cname, 5, Wire().name("x.example.org").out});
  reply.answers.push_back(address_record(*Name::from_text("x.example.org"), IpAddress::v4(1), 5));
  const auto response = parse_response(encode_reply(query, reply, 512));
  BOOST_REQUIRE(response);
  BOOST_TEST((response->answers == reply.answers));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dns
