#include <array>
#include <boost/test/unit_test.hpp>
#include <tests/support/fake_driver.hpp>

using namespace capsa;
using test::to_bytes;
using test::to_text;

BOOST_AUTO_TEST_SUITE(chain)

BOOST_AUTO_TEST_CASE(bytes_are_copied_across_segments_from_any_offset) {
  test::FakeDriver driver({8});
  driver.activation();
  driver.send(0, {to_bytes("ab"), to_bytes("c"), to_bytes("defg")});
  const auto chain = driver.queue(0).pop().value();
  BOOST_TEST(chain.readable_bytes() == 7U);
  BOOST_TEST(chain.writable_bytes() == 0U);
  const std::string_view whole = "abcdefg";
  for (std::size_t offset = 0; offset <= 8; ++offset) {
    for (std::size_t length = 0; length <= 9; ++length) {
      test::Bytes out(length);
      const std::size_t copied = chain.copy_out(offset, out);
      const auto expected = offset < 7 ? whole.substr(offset, length) : std::string_view();
      BOOST_TEST(copied == expected.size());
      BOOST_TEST(to_text(std::span(out).first(copied)) == expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(bytes_are_put_across_segments_and_what_does_not_fit_is_told) {
  test::FakeDriver driver({8});
  driver.activation();
  driver.send(0, {}, {2, 3});
  const auto chain = driver.queue(0).pop().value();
  BOOST_TEST(chain.writable_bytes() == 5U);
  BOOST_TEST(chain.copy_in(0, to_bytes("x")) == 1U);
  BOOST_TEST(chain.copy_in(1, to_bytes("yzwvut")) == 4U);
  BOOST_TEST(chain.copy_in(5, to_bytes("q")) == 0U);
  driver.queue(0).push(chain.head, 5);
  BOOST_TEST(to_text(driver.pop_used(0).value().data) == "xyzwv");
}

BOOST_AUTO_TEST_SUITE_END()
