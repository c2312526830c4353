#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <net/dhcp/message.hpp>
#include <tests/unit/net/dhcp/client.hpp>

namespace capsa::net::dhcp {
namespace {

using test::Bytes;
using test::ip;
using test::mac;
using test::Request;

Bytes option(const Message& message, unsigned code) {
  const auto found = message.options.find(static_cast<std::uint8_t>(code));
  return found == message.options.end() ? Bytes() : found->second;
}

Bytes bytes(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values)
    out.push_back(static_cast<std::byte>(value));
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_dhcp_message)

BOOST_AUTO_TEST_CASE(a_message_is_read_byte_by_byte) {
  auto request = Request(1, mac(0x1234));
  request.set(8, {0x01, 0x02, 0x80, 0x01, 10, 0, 2, 15, 10, 0, 2, 16, 0, 0, 0, 0, 10, 0, 2, 17})
      .raw({0, 0})
      .address(50, ip("10.0.2.20"));
  const auto message = parse_message(request.done());
  BOOST_REQUIRE(message);
  BOOST_TEST(message->op == 1);
  BOOST_TEST(message->transaction == 0xdeadbeefU);
  BOOST_TEST(message->seconds == 0x0102);
  BOOST_TEST(message->flags == 0x8001);
  BOOST_TEST(message->client == ip("10.0.2.15"));
  BOOST_TEST(message->your == ip("10.0.2.16"));
  BOOST_TEST(message->relay == ip("10.0.2.17"));
  BOOST_TEST(message->hardware == mac(0x1234));
  BOOST_TEST((message->type() == MessageType::Discover));
  BOOST_TEST(*message->address(Option::RequestedAddress) == ip("10.0.2.20"));
}

BOOST_AUTO_TEST_CASE(a_message_cut_anywhere_before_its_options_or_inside_one_is_none) {
  const Bytes whole = Request(1).option(61, {1, 2, 3, 4, 5, 6, 7}).cut();
  BOOST_TEST(parse_message(whole).has_value());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const bool between = size == 240 || size == 243;
    BOOST_TEST(parse_message({whole.data(), size}).has_value() == between, "size " << size);
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_about_ethernet_or_has_no_cookie_is_none) {
  BOOST_TEST(!parse_message(Request(1).set(1, {6}).done()).has_value());
  BOOST_TEST(!parse_message(Request(1).set(2, {16}).done()).has_value());
  BOOST_TEST(!parse_message(Request(1).set(239, {0x64}).done()).has_value());
}

BOOST_AUTO_TEST_CASE(a_type_that_does_not_exist_is_none) {
  for (const int type : {0, 9, 255})
    BOOST_TEST(!parse_message(Request(0).option(53, {type}).done())->type().has_value());
  BOOST_TEST(!parse_message(Request(0).option(53, {}).done())->type().has_value());
  BOOST_TEST(!parse_message(Request(0).option(53, {1, 1}).done())->type().has_value());
  BOOST_TEST(!parse_message(Request(0).done())->type().has_value());
}

BOOST_AUTO_TEST_CASE(an_address_has_four_bytes) {
  BOOST_TEST(
      !parse_message(Request(1).option(50, {1, 2, 3}).done())->address(Option::RequestedAddress));
  BOOST_TEST(!parse_message(Request(1).option(50, {1, 2, 3, 4, 5}).done())
                  ->address(Option::RequestedAddress));
}

BOOST_AUTO_TEST_CASE(a_long_option_is_put_together_from_its_parts) {
  const auto message =
      parse_message(Request(1).option(12, {'a', 'b'}).option(61, {1}).option(12, {'c'}).done());
  BOOST_TEST((option(*message, 12) == bytes({'a', 'b', 'c'})));
}

BOOST_AUTO_TEST_CASE(an_option_of_more_than_255_bytes_is_bounded_by_the_message) {
  auto request = Request(1);
  for (int i = 0; i < 5; ++i)
    request.raw({77, 255}).fill(255, i);
  BOOST_TEST(option(*parse_message(request.done()), 77).size() == 5 * 255U);
}

BOOST_AUTO_TEST_CASE(overloaded_fields_are_read_file_first) {
  auto request = Request(1);
  request.option(12, {'a'}).option(52, {3});
  request.set(108, {12, 1, 'b', 255, 12, 200});  // what follows an end is not read
  request.set(44, {0, 12, 1, 'c', 50, 4, 10, 0, 2, 30, 255});
  const auto message = parse_message(request.done());
  BOOST_REQUIRE(message);
  BOOST_TEST((option(*message, 12) == bytes({'a', 'b', 'c'})));
  BOOST_TEST(*message->address(Option::RequestedAddress) == ip("10.0.2.30"));
}

BOOST_AUTO_TEST_CASE(only_the_field_that_is_named_is_read) {
  for (const int overload : {0, 1, 2}) {
    auto request = Request(1);
    request.option(52, {overload}).set(108, {12, 1, 'f', 255}).set(44, {12, 1, 's', 255});
    const Bytes expected = overload == 0 ? Bytes() : overload == 1 ? bytes({'f'}) : bytes({'s'});
    BOOST_TEST((option(*parse_message(request.done()), 12) == expected));
  }
}

BOOST_AUTO_TEST_CASE(an_overloaded_option_does_not_run_on_into_the_next_field) {
  auto file = Request(1);
  file.option(52, {1}).set(108 + 126, {12, 1});
  BOOST_TEST(!parse_message(file.done()).has_value());
  auto name = Request(1);
  name.option(52, {2}).set(44 + 62, {12, 1});
  BOOST_TEST(!parse_message(name.done()).has_value());
}

BOOST_AUTO_TEST_CASE(an_overload_in_an_overloaded_field_counts_for_nothing) {
  auto request = Request(1);
  request.option(52, {1}).set(108, {52, 1, 3, 255}).set(44, {12, 1, 's', 255});
  const auto message = parse_message(request.done());
  BOOST_REQUIRE(message);
  BOOST_TEST(option(*message, 12).empty());
}

BOOST_AUTO_TEST_CASE(a_message_is_encoded_byte_by_byte) {
  Message message;
  message.op = kBootReply;
  message.transaction = 0x01020304;
  message.flags = kBroadcastFlag;
  message.your = ip("10.0.2.15");
  message.hardware = mac(0x0506);
  message.options[1] = bytes({255, 255, 255, 0});
  message.options[53] = bytes({2});
  message.options[54] = bytes({10, 0, 2, 2});
  Bytes expected(240);
  const auto put = [&](std::size_t at, const Bytes& data) {
    std::copy(data.begin(), data.end(), expected.begin() + static_cast<std::ptrdiff_t>(at));
  };
  put(0, bytes({2, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0x80, 0}));
  put(16, bytes({10, 0, 2, 15}));
  put(28, bytes({0x52, 0x54, 0, 0, 5, 6}));
  put(236, bytes({0x63, 0x82, 0x53, 0x63}));
  const Bytes options = bytes({53, 1, 2, 54, 4, 10, 0, 2, 2, 1, 4, 255, 255, 255, 0, 255});
  expected.insert(expected.end(), options.begin(), options.end());
  expected.resize(300);  // BOOTP's least
  BOOST_TEST((encode(message, kLeastMax) == expected));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_left_out_and_the_rest_is_whole) {
  Message message;
  message.options[53] = bytes({2});
  message.options[12] = Bytes(200, std::byte{'h'});
  message.options[15] = Bytes(200, std::byte{'d'});
  message.options[16] = Bytes(256);
  message.options[54] = bytes({10, 0, 2, 2});
  for (std::size_t max = kLeastMax; max < 700; ++max) {
    const Bytes payload = encode(message, max);
    BOOST_TEST(payload.size() <= max);
    const auto read = parse_message(payload);
    BOOST_REQUIRE(read);
    BOOST_TEST(option(*read, 12).size() == 200U);
    BOOST_TEST(option(*read, 15).size() == (max >= 240 + 3 + 6 + 202 + 202 + 1 ? 200U : 0U));
    BOOST_TEST(option(*read, 54).size() == 4U);
    BOOST_TEST(option(*read, 16).empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dhcp
