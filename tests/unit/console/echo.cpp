#include <actors/console/core/echo.hpp>
#include <boost/test/unit_test.hpp>

using capsa::console::EchoSkipper;

namespace {

/// What is left of `stream` once the echo of `line` is skipped; the same for every cut.
std::string left(std::string_view line, std::string_view stream) {
  std::string first;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    EchoSkipper echo(line);
    std::string rest;
    for (const std::string_view piece : {stream.substr(0, cut), stream.substr(cut)}) {
      const bool skipping = echo.state() == EchoSkipper::State::Skipping;
      const std::size_t taken = skipping ? echo.feed(piece) : 0;
      if (skipping && echo.state() == EchoSkipper::State::NoEcho) rest += echo.seen();
      rest += piece.substr(taken);
    }
    if (echo.state() == EchoSkipper::State::Skipping) rest = "(skipping)";
    if (cut == 0) first = rest;
    BOOST_REQUIRE_EQUAL(rest, first);
  }
  return first;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(echo)

BOOST_AUTO_TEST_CASE(the_terminals_own_echo_is_skipped) {
  BOOST_TEST(left("ls -l", "ls -l\r\nfile\r\n") == "file\r\n");
  BOOST_TEST(left("", "\r\nout") == "out");
}

BOOST_AUTO_TEST_CASE(the_wraps_of_readline_and_busybox_are_skipped) {
  BOOST_TEST(left("echo one two", "echo \rone t\r wo\r\n\x1b[?2004l\rone two\r\n") ==
             "\x1b[?2004l\rone two\r\n");
  BOOST_TEST(left("echo one two", "echo on\r\r\ne two\r\none two\r\n") == "one two\r\n");
}

BOOST_AUTO_TEST_CASE(a_character_that_is_drawn_twice_at_a_wrap_is_skipped) {
  BOOST_TEST(left("echo three four", "echo thre\ree fou\rur\r\nout") == "out");
  BOOST_TEST(left("echo aaab", "echo a\raa\rab\r\nout") == "out");
  BOOST_TEST(left("echo aaab", "echo a\raaaa\rab\r\nout") != "out");
}

BOOST_AUTO_TEST_CASE(a_line_that_readline_scrolls_sideways_is_skipped) {
  BOOST_TEST(left("echo one two eight nine", "\r< eight nine\r\nout") == "out");
  BOOST_TEST(left("echo one two eight",
                  "echo o\r<one    \b\b\b\b two\r\r<o ei    \b\bght\r\nout") == "out");
}

BOOST_AUTO_TEST_CASE(what_is_no_echo_is_all_given_back) {
  BOOST_TEST(left("ls", "file\r\n# ") == "file\r\n# ");
  BOOST_TEST(left("ls", "lx\r\n# ") == "lx\r\n# ");
  BOOST_TEST(left("ls", "lsx\r\n# ") == "lsx\r\n# ");
  BOOST_TEST(left("echo one", "\r< other\r\n# ") == "\r< other\r\n# ");
}

BOOST_AUTO_TEST_CASE(an_echo_that_has_not_ended_is_waited_for) {
  BOOST_TEST(left("ls -l", "ls -") == "(skipping)");
  BOOST_TEST(left("ls -l", "ls -l") == "(skipping)");
}

BOOST_AUTO_TEST_CASE(blanks_for_ever_are_not_taken_for_an_echo) {
  EchoSkipper echo("ls");
  const std::string blanks(10000, ' ');
  BOOST_TEST(echo.feed(blanks) < 1000U);
  BOOST_TEST((echo.state() == EchoSkipper::State::NoEcho));
}

BOOST_AUTO_TEST_SUITE_END()
