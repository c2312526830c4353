#include "scripted_guest.hpp"

#include <actors/console/core/run_command.hpp>
#include <boost/test/unit_test.hpp>

using namespace capsa::console;
using capsa::ErrorCode;

namespace {

RunCommand make(std::string command, std::string prompt = "# ",
                std::size_t max = RunCommand::kMaxOutput) {
  auto made = RunCommand::make(std::move(command), std::move(prompt), max);
  BOOST_REQUIRE(made.ok());
  return std::move(*made);
}

/// The outcome of `command` where the guest ended with `tail` and answers so; for every cut.
std::string run(const std::string& command, const std::string& tail,
                std::vector<std::string> answers, const std::string& prompt = "# ",
                std::vector<std::string> sent = {}) {
  if (sent.empty()) sent = {command + "\n"};
  std::string first;
  for (std::size_t cut = 0; cut <= answers.back().size(); ++cut) {
    RunCommand talk = make(command, prompt);
    ScriptedGuest guest(talk, answers);
    guest.cut_at(cut);
    if (!guest.play(tail)) return "(not done)";
    BOOST_REQUIRE(talk.outcome().ok());
    BOOST_TEST_REQUIRE(guest.sent == sent, boost::test_tools::per_element());
    if (cut == 0) first = *talk.outcome();
    BOOST_REQUIRE_EQUAL(*talk.outcome(), first);
  }
  return first;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(run_command)

BOOST_AUTO_TEST_CASE(the_echo_is_dropped_and_the_output_given) {
  BOOST_TEST(run("ls", "motd\r\n# ", {"ls\r\na\r\nb\r\n# "}) == "a\nb\n");
  BOOST_TEST(run("cd /", "# ", {"cd /\r\n# "}).empty());
  BOOST_TEST(run("printf x", "# ", {"printf x\r\nx# "}) == "x");
}

BOOST_AUTO_TEST_CASE(a_prompt_inside_the_echo_ends_nothing) {
  BOOST_TEST(run(": '# '; id", "# ", {": '# '; id\r\nuid\r\n# "}) == "uid\n");
}

BOOST_AUTO_TEST_CASE(a_terminal_without_echo_is_fine) {
  BOOST_TEST(run("ls", "# ", {"a\r\nb\r\n# "}) == "a\nb\n");
  BOOST_TEST(run("cd /", "# ", {"# "}).empty());
  BOOST_TEST(run("id", "\x1b[?2004h# ", {"\x1b[?2004l\r\r\nuid\r\n\x1b[?2004h# "}) == "uid\n");
  BOOST_TEST(run("# comment", "# ", {"# "}).empty());  // decided by the pause
}

BOOST_AUTO_TEST_CASE(what_stands_in_front_of_the_prompt_is_not_output) {
  const std::string prompt = "\x1b[?2004hroot@vm:~# ";
  BOOST_TEST(run("id", "\r\n" + prompt, {"id\r\n\x1b[?2004l\ruid=0\r\n" + prompt}) == "uid=0\n");
  BOOST_TEST(run("printf x", "\r\n" + prompt, {"printf x\r\n\x1b[?2004l\rx" + prompt}) == "x");
  BOOST_TEST(run("cd /", prompt, {"cd /\r\n\x1b[?2004l\r\x1b[?2004hroot@vm:/# "}).empty());
  BOOST_TEST(run("id", "\x1b[32mvm#\x1b[0m ", {"id\r\nuid\r\n\x1b[32mvm#\x1b[0m "}, "#") ==
             "uid\n");
}

BOOST_AUTO_TEST_CASE(the_line_is_typed_only_behind_the_prompt) {
  RunCommand talk = make("id");
  TimePoint now{};
  BOOST_TEST(talk.open("output of before\r\n", now).send.empty());
  BOOST_TEST(talk.feed("# comm", now).send.empty());
  BOOST_TEST(talk.feed("ent\r\n# ", now).send.empty());
  BOOST_TEST(talk.poke(now).send.empty());
  BOOST_TEST(talk.poke(now + std::chrono::milliseconds(100)).send == "id\n");
}

BOOST_AUTO_TEST_CASE(a_prompt_that_was_printed_over_is_asked_for) {
  BOOST_TEST(run("id", "# [ 1.2] usb 1-1: new device\r\n", {"\r\n# ", "id\r\nuid\r\n# "}, "# ",
                 {"\n", "id\n"}) == "uid\n");
}

BOOST_AUTO_TEST_CASE(a_prompt_that_never_comes_lets_the_line_be_typed_blind) {
  BOOST_TEST(run("AT", "", {"", "AT\r\n+X: 1\r\nOK\r\n"}, "OK\r\n", {"\n", "AT\n"}) == "+X: 1\n");
}

BOOST_AUTO_TEST_CASE(output_without_a_prompt_is_bounded) {
  RunCommand talk = make("yes", "# ", 100);
  ScriptedGuest guest(talk, {"yes\r\n" + std::string(200, 'y')});
  BOOST_REQUIRE(guest.play("# "));
  BOOST_TEST((talk.outcome().error().code() == ErrorCode::ResourceExhausted));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_typed_as_one_line_is_refused) {
  for (const std::string& command :
       {std::string("a\nb"), std::string("a\tb"), std::string("\x03"), std::string(1024, 'x')})
    BOOST_TEST((RunCommand::make(command, "# ").error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST((RunCommand::make("ls", "").error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST(RunCommand::make("ls\n", "# ").ok());
}

BOOST_AUTO_TEST_SUITE_END()
