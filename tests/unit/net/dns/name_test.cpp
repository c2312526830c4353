#include <boost/test/unit_test.hpp>
#include <net/dns/name.hpp>
#include <string>
#include <tests/unit/net/dns/wire.hpp>

namespace capsa::net::dns {
namespace {

using test::Bytes;
using test::bytes;
using test::Wire;

Name name(std::string_view text) {
  return Name::from_text(text).value();
}

std::optional<Name> read(const Bytes& message, std::size_t at = 0) {
  return Name::read(message, at);
}

/// Four labels: 63, 63, 63 and `last` bytes; 194 + `last` bytes on the wire.
std::string long_name(std::size_t last) {
  const std::string label(63, 'a');
  return label + "." + label + "." + label + "." + std::string(last, 'b');
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_dns_name)

BOOST_AUTO_TEST_CASE(a_name_is_read_byte_by_byte_and_spelt_in_lower_case) {
  const Bytes wire = bytes({0xee, 3, 'W', 'w', 'w', 1, 'x', 0, 0xee});
  std::size_t at = 1;
  const auto read = Name::read(wire, at);
  BOOST_REQUIRE(read);
  BOOST_TEST(at == 8U);
  BOOST_TEST(read->text() == "www.x");
  BOOST_TEST(read->wire() == std::string_view("\3Www\1x\0", 7));
  BOOST_TEST(read->labels() == 2U);
}

BOOST_AUTO_TEST_CASE(a_name_that_is_cut_anywhere_is_none) {
  const Bytes whole = Wire().name("www.example.org").out;
  BOOST_TEST(read(whole).has_value());
  for (std::size_t size = 0; size < whole.size(); ++size)
    BOOST_TEST(!read(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))));
}

BOOST_AUTO_TEST_CASE(a_name_of_255_bytes_on_the_wire_is_the_longest) {
  BOOST_TEST(Name::from_text(long_name(61)).has_value());  // 254 characters would be one more
  BOOST_TEST(long_name(61).size() == 253U);
  BOOST_TEST(!Name::from_text(long_name(62)).has_value());
  BOOST_TEST(read(Wire().name(long_name(61)).out).has_value());
  BOOST_TEST(!read(Wire().name(long_name(62)).out).has_value());
}

BOOST_AUTO_TEST_CASE(a_label_has_at_most_63_bytes_and_never_none) {
  BOOST_TEST(Name::from_text(std::string(63, 'a')).has_value());
  BOOST_TEST(!Name::from_text(std::string(64, 'a')).has_value());
  for (const auto* text : {"", ".", "a..b", ".a", "a..", "a b", "a\\.b", "b\xc3\xbc"})
    BOOST_TEST(!Name::from_text(text).has_value(), text);
  // The kinds of label that RFC 1035 reserves.
  BOOST_TEST(!read(bytes({0x40, 'a', 0})).has_value());
  BOOST_TEST(!read(bytes({0x80, 'a', 0})).has_value());
}

BOOST_AUTO_TEST_CASE(a_dot_at_the_end_makes_no_difference) {
  BOOST_TEST((name("example.org.") == name("example.org")));
}

BOOST_AUTO_TEST_CASE(names_are_equal_whatever_their_case) {
  BOOST_TEST((name("ExAmPle.ORG") == name("example.org")));
  BOOST_TEST(!(name("example.org") == name("example.com")));
  BOOST_TEST(!(name("a.bc") == name("ab.c")));
  BOOST_TEST(!(name("A") < name("a")));
  BOOST_TEST(!(name("a") < name("A")));
  // '[' is not the upper case of '{'.
  BOOST_TEST(!(read(bytes({1, '[', 0})) == read(bytes({1, '{', 0}))));
}

BOOST_AUTO_TEST_CASE(a_pointer_leads_backwards) {
  Bytes message(12);
  const Bytes wire = bytes({1, 'b', 0, 1, 'a', 0xc0, 12, 0xee});
  message.insert(message.end(), wire.begin(), wire.end());
  std::size_t at = 15;
  const auto read = Name::read(message, at);
  BOOST_REQUIRE(read);
  BOOST_TEST(read->text() == "a.b");
  BOOST_TEST(at == 19U);
}

BOOST_AUTO_TEST_CASE(a_pointer_to_itself_forwards_or_into_the_header_is_refused) {
  for (const int target : {0, 11, 15, 16, 17, 19, 200}) {
    Bytes message(12);
    const Bytes wire = bytes({1, 'b', 0, 1, 'a', 0xc0, target, 1, 'c', 0});
    message.insert(message.end(), wire.begin(), wire.end());
    BOOST_TEST(!read(message, 15).has_value(), "to " << target);
  }
}

BOOST_AUTO_TEST_CASE(two_pointers_that_lead_to_each_other_are_refused) {
  Bytes message(12);
  const Bytes wire = bytes({1, 'a', 0xc0, 16, 1, 'b', 0xc0, 12});
  message.insert(message.end(), wire.begin(), wire.end());
  BOOST_TEST(!read(message, 16).has_value());
  BOOST_TEST(!read(message, 12).has_value());
}

BOOST_AUTO_TEST_CASE(pointers_do_not_make_a_name_longer_than_255_bytes) {
  Bytes message(12);
  std::size_t last = 0;
  for (int i = 0; i < 40; ++i) {  // each has seven bytes more than the one it points to
    const std::size_t here = message.size();
    const Bytes label = bytes({6, 'a', 'b', 'c', 'd', 'e', 'f'});
    message.insert(message.end(), label.begin(), label.end());
    if (last == 0) {
      message.push_back({});
    } else {
      message.push_back(static_cast<std::byte>(0xc0 | last >> 8));
      message.push_back(static_cast<std::byte>(last));
    }
    last = here;
    BOOST_TEST(read(message, here).has_value() == (7 * (i + 1) + 1 <= 255), "label " << i);
  }
}

BOOST_AUTO_TEST_CASE(a_label_with_a_dot_a_space_or_a_zero_in_it_is_not_plain) {
  for (const int c : {int{'.'}, int{' '}, 0, int{'\\'}, int{'*'}, int{'"'}, 0x80, 0xff}) {
    const auto odd = read(bytes({1, c, 3, 'o', 'r', 'g', 0}));
    BOOST_REQUIRE(odd);
    BOOST_TEST(!odd->is_plain(), "byte " << c);
  }
  BOOST_TEST(name("_dns.xn--bcher-kva.example-1.org").is_plain());
}

BOOST_AUTO_TEST_CASE(a_name_lies_within_another_by_whole_labels) {
  BOOST_TEST(name("a.b.x").is_within(name("X")));
  BOOST_TEST(name("x").is_within(name("x")));
  BOOST_TEST(name("x").is_within(Name()));
  BOOST_TEST(!name("evilx").is_within(name("x")));
  BOOST_TEST(!name("x").is_within(name("a.x")));
}

BOOST_AUTO_TEST_CASE(names_are_joined_where_they_fit) {
  BOOST_TEST(name("web").joined(name("capsa.internal"))->text() == "web.capsa.internal");
  BOOST_TEST(!name(long_name(60)).joined(name("abc")).has_value());
  BOOST_TEST(name("a.b").parent().text() == "b");
  BOOST_TEST(name("b").parent().is_root());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dns
