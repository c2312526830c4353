#include <actors/console/core/text.hpp>
#include <boost/test/unit_test.hpp>

using namespace capsa::console;

namespace {

std::string filtered(std::string_view bytes) {
  EscapeFilter filter;
  std::string out;
  for (const char c : bytes)
    if (filter.is_text(c)) out += c;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(control_and_foreign_bytes_are_escaped_and_line_ends_are_not) {
  BOOST_TEST(printable("a\r\nb\tc\\\x1b[0m\xff\r") == "a\nb\\tc\\\\\\x1b[0m\\xff");
  BOOST_TEST(printable("50%\r60%") == "50%\\r60%");
}

BOOST_AUTO_TEST_CASE(only_what_the_terminal_added_is_taken_from_line_ends) {
  BOOST_TEST(drop_carriage_returns("a\r\nb\r\r\nc\rd\n\r", 1) == "a\nb\r\nc\rd\n\r");
  BOOST_TEST(drop_carriage_returns("a\r\n", 0) == "a\r\n");
  BOOST_TEST(drop_carriage_returns("a\r\r\nb\r\r\r\n", 2) == "a\nb\r\n");
}

BOOST_AUTO_TEST_CASE(escape_sequences_are_told_from_text) {
  BOOST_TEST(filtered("\x1b[?2004hP\x1b[01;32m# \x1b[0m\x1b[6n") == "P# ");
  BOOST_TEST(filtered("\x1b]0;title\a$ ") == "$ ");
  BOOST_TEST(filtered("\x1b]0;title\x1b\\$ ") == "$ ");
  BOOST_TEST(filtered("\x1b(B\x1b=x") == "x");
}

BOOST_AUTO_TEST_CASE(a_sequence_without_an_end_hides_one_line_at_most) {
  BOOST_TEST(filtered("\x1b]0;never ends\nlogin: ") == "\nlogin: ");
  BOOST_TEST(filtered("\x1b[" + std::string(1000, '1')).size() > 700);
}

BOOST_AUTO_TEST_CASE(the_current_line_is_what_stands_since_the_last_line_end) {
  CurrentLine line;
  line.push("first\r\nvm \x1b[1mlogin: ");
  BOOST_TEST(line.text() == "vm login: ");
  BOOST_TEST(line.push('\n'));
  BOOST_TEST(line.text().empty());
  BOOST_TEST(line.last() == "vm login: ");
  BOOST_TEST(!line.push('x'));
  BOOST_TEST(line.text() == "x");
}

BOOST_AUTO_TEST_CASE(an_endless_line_keeps_its_end) {
  CurrentLine line;
  for (int i = 0; i < 100000; ++i)
    line.push('.');
  line.push("# ");
  BOOST_TEST(line.text().size() <= 2048U);
  BOOST_TEST(line.text().ends_with("..# "));
}

BOOST_AUTO_TEST_SUITE_END()
