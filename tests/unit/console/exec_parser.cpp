#include "scripted_guest.hpp"

#include <actors/console/core/exec_parser.hpp>
#include <boost/test/unit_test.hpp>

using namespace capsa::console;
using capsa::ConsoleOutput;
using capsa::ErrorCode;

namespace {

ExecScript make(std::string_view command) {
  auto script = ExecScript::make(command, Nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
  BOOST_REQUIRE(script.ok());
  return *script;
}

ConsoleOutput outcome(const ExecParser& parser) {
  const auto got = parser.outcome();
  BOOST_REQUIRE_MESSAGE(got.ok(), (got.ok() ? "" : got.error().what()));
  return *got;
}

/// What a terminal and a shell make of a script: echo, prompts, markers, and `output` in between.
std::vector<std::string> transcript(const ExecScript& script, std::string_view output,
                                    std::string_view status = "0", std::string_view eol = "\r\n") {
  const std::string end(eol);
  std::vector<std::string> answers;
  answers.push_back("late output" + end + "# " + script.hello() + end + script.hello_marker() +
                    end + "# ");
  for (std::size_t i = 0; i < script.batches().size(); ++i) {
    std::string answer = script.batches()[i];
    if (i + 1 < script.batches().size())
      answer += script.ack_marker(i) + end + "# ";
    else
      answer += script.begin_marker() + end + std::string(output) + script.end_marker() + ":" +
                std::string(status) + end + "# ";
    answers.push_back(answer);
  }
  return answers;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(exec_parser)

BOOST_AUTO_TEST_CASE(output_and_status_are_found_however_the_bytes_are_cut) {
  const ExecScript script = make("make check");
  const auto answers = transcript(script, "one\r\ntwo\r\r\nno line end", "42");
  for (std::size_t cut = 0; cut <= answers.back().size(); ++cut) {
    ExecParser parser(script);
    ScriptedGuest guest(parser, answers);
    guest.cut_at(cut);
    BOOST_REQUIRE(guest.play());
    BOOST_REQUIRE((outcome(parser) == ConsoleOutput{"one\ntwo\r\nno line end", 42}));
    BOOST_REQUIRE_EQUAL(guest.rest, "# ");
  }
  ExecParser parser(script);
  ScriptedGuest guest(parser, answers);
  guest.cut_everywhere();
  BOOST_REQUIRE(guest.play());
  BOOST_TEST((outcome(parser) == ConsoleOutput{"one\ntwo\r\nno line end", 42}));
}

BOOST_AUTO_TEST_CASE(nothing_is_typed_before_the_shell_has_answered) {
  const ExecScript script = make("x");
  ExecParser parser(script);
  TimePoint now{};
  BOOST_TEST(parser.open("# ", now).send == script.hello());
  BOOST_TEST(parser.feed(script.hello() + "\r\n", now).send.empty());
  BOOST_TEST(parser.waiting_for() == "a POSIX shell at the console to answer");
  BOOST_TEST(parser.recovery().send.empty());
  BOOST_TEST(parser.feed(script.hello_marker(), now).send == script.batches()[0]);
  BOOST_TEST(parser.recovery().send == "\x03");
}

BOOST_AUTO_TEST_CASE(a_command_that_begins_after_it_was_given_up_is_interrupted_again) {
  const ExecScript script = make("x");
  ExecParser parser(script);
  parser.open("# ", {});
  parser.feed(script.hello_marker(), {});
  BOOST_TEST(parser.recovery().again_after == script.begin_marker());
  parser.feed(script.begin_marker(), {});
  BOOST_TEST(parser.recovery().send == "\x03");
  BOOST_TEST(parser.recovery().again_after.empty());
}

BOOST_AUTO_TEST_CASE(an_unanswered_hello_is_repeated_a_few_times) {
  ExecParser parser(make("x"));
  ScriptedGuest guest(parser, {});
  BOOST_TEST(!guest.play());
  BOOST_TEST(guest.sent.size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_long_command_goes_in_batches_each_after_the_one_before) {
  const ExecScript script = make(std::string(10000, 'y'));
  ExecParser parser(script);
  ScriptedGuest guest(parser, transcript(script, "ok\r\n"));
  guest.cut_everywhere();
  BOOST_REQUIRE(guest.play());
  BOOST_TEST(guest.sent.size() == script.batches().size() + 1);
  BOOST_TEST(outcome(parser).output == "ok\n");
}

BOOST_AUTO_TEST_CASE(markers_of_another_run_and_parts_of_ours_are_output) {
  const ExecScript script = make("x");
  const ExecScript other = *ExecScript::make("x", Nonce{});
  const std::string output = other.end_marker() + ":0\n" + script.batches().back() +
                             script.end_marker().substr(0, 39) + script.hello_marker();
  ExecParser parser(script);
  ScriptedGuest guest(parser, transcript(script, output, "3"));
  guest.cut_everywhere();
  BOOST_REQUIRE(guest.play());
  BOOST_TEST((outcome(parser) == ConsoleOutput{output, 3}));
}

BOOST_AUTO_TEST_CASE(binary_output_is_returned_byte_for_byte) {
  std::string output;
  for (int c = 0; c < 256; ++c)
    output += static_cast<char>(c);
  const ExecScript script = make("x");
  ExecParser parser(script);
  // A terminal without ONLCR: a CR is the command's own.
  ScriptedGuest guest(parser, transcript(script, output + "\r\n", "0", "\n"));
  BOOST_REQUIRE(guest.play());
  BOOST_TEST(outcome(parser).output == output + "\r\n");
}

BOOST_AUTO_TEST_CASE(a_terminal_behind_a_terminal_adds_two_carriage_returns) {
  const ExecScript script = make("x");
  ExecParser parser(script);
  ScriptedGuest guest(parser, transcript(script, "a\r\r\nb\r\r\r\n", "0", "\r\r\n"));
  BOOST_REQUIRE(guest.play());
  BOOST_TEST(outcome(parser).output == "a\nb\r\n");
}

BOOST_AUTO_TEST_CASE(no_output_is_no_output) {
  const ExecScript script = make("true");
  ExecParser parser(script);
  ScriptedGuest guest(parser, transcript(script, ""));
  BOOST_REQUIRE(guest.play());
  BOOST_TEST((outcome(parser) == ConsoleOutput{"", 0}));
}

BOOST_AUTO_TEST_CASE(more_output_than_is_kept_is_an_error_that_says_how_much) {
  const ExecScript script = make("yes");
  for (const std::size_t size : {100U, 101U}) {
    ExecParser parser(script, 100);
    ScriptedGuest guest(parser, transcript(script, std::string(size, 'y'), "7"));
    guest.cut_everywhere();
    BOOST_REQUIRE(guest.play());
    BOOST_REQUIRE_EQUAL(parser.outcome().ok(), size == 100U);
    if (size == 100U) continue;
    BOOST_TEST((parser.outcome().error().code() == ErrorCode::ResourceExhausted));
    BOOST_TEST(parser.outcome().error().message() ==
               "exec: the command wrote 101 bytes, at most 100 are kept; its status was 7");
  }
}

BOOST_AUTO_TEST_CASE(a_status_that_is_none_is_an_error) {
  const ExecScript script = make("x");
  for (const char* status : {"", "x", "1 usb 1-1: new device", "-1", "99999999999999999999"}) {
    ExecParser parser(script);
    ScriptedGuest guest(parser, transcript(script, "", status));
    BOOST_REQUIRE(guest.play());
    BOOST_REQUIRE(!parser.outcome().ok());
    BOOST_TEST((parser.outcome().error().code() == ErrorCode::IoError));
  }
}

BOOST_AUTO_TEST_SUITE_END()
