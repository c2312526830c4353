#include "pty.hpp"

#include <actors/console/core/exec_parser.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>

using capsa::ErrorCode;

namespace {

std::vector<std::string> shell() {
  const char* name = std::getenv("CAPSA_TEST_SHELL");
  const std::string which = name ? name : "bash";
  if (which == "dash") return {"/bin/dash", "-i"};
  if (which == "ash") return {"/bin/busybox", "sh", "-i"};
  return {"/bin/bash", "--norc", "-i"};
}

std::vector<std::string> environment(const std::string& prompt, const std::string& term = "vt100") {
  return {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PS1=" + prompt, "TERM=" + term, "HISTFILE="};
}

// Says "go" itself: a shell that is about to start a program may lose a Ctrl-C (bash 5.2 does, if
// it comes between fork and exec).
constexpr const char* kSleeper = "sh -c 'echo go; exec sleep 1000'; echo not reached";

struct Shell : Terminal {
  explicit Shell(const std::string& prompt = "vm# ", unsigned short columns = 80,
                 const std::string& term = "vt100")
      : Terminal(shell(), environment(prompt, term), columns) {}

  void expect(std::string_view command, std::string_view output, int status = 0) {
    const auto got = exec(command);
    BOOST_REQUIRE_MESSAGE(got.ok(), command << ": " << (got.ok() ? "" : got.error().what()));
    BOOST_TEST(got->output == output);
    BOOST_TEST(got->status == status);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(shells, Shell)

BOOST_AUTO_TEST_CASE(exec_gives_the_output_and_the_status) {
  expect("echo hello", "hello\n");
  expect("printf 'no line end'", "no line end");
  expect("true", "");
  expect("false", "", 1);
  expect("exit 3", "", 3);
  expect("echo err >&2; (exit 77)", "err\n", 77);
  const auto killed = exec("sh -c 'kill -TERM $$'");
  BOOST_REQUIRE(killed.ok());
  BOOST_TEST(killed->status == 143);
}

BOOST_AUTO_TEST_CASE(a_command_that_does_not_exist_is_127) {
  const auto got = exec("no-such-command-here");
  BOOST_REQUIRE(got.ok());
  BOOST_TEST(got->status == 127);
}

BOOST_AUTO_TEST_CASE(a_syntax_error_is_the_commands_own) {
  const auto got = exec("if then");
  BOOST_REQUIRE(got.ok());
  BOOST_TEST(got->status != 0);
  expect("echo still here", "still here\n");
}

BOOST_AUTO_TEST_CASE(quotes_line_ends_and_special_characters_arrive_as_given) {
  expect(R"sh(echo "it's" 'a "b"' \\ '!!' "$(echo in)" `echo tick`)sh",
         "it's a \"b\" \\ !! in tick\n");
  expect("for i in 1 2\ndo\n  echo \"$i\"\ndone\n", "1\n2\n");
  expect("cat <<'E'\n$HOME \\ ' \" % \t|\nE", "$HOME \\ ' \" % \t|\n");
  expect("printf '%s\\n' '100%' '\xc3\xa4\xff'", "100%\n\xc3\xa4\xff\n");
  expect("# nothing", "");
  expect("", "");
}

BOOST_AUTO_TEST_CASE(carriage_returns_of_the_command_are_kept) {
  expect("printf 'a\\r\\nb\\rc\\n\\r'", "a\r\nb\rc\n\r");
  type("stty -onlcr\n");
  expect("printf 'a\\r\\nb\\n'", "a\r\nb\n");
}

BOOST_AUTO_TEST_CASE(binary_output_is_given_byte_for_byte) {
  std::string all, command = "printf '";
  for (int c = 0; c < 256; ++c) {
    all += static_cast<char>(c);
    char octal[8];
    std::snprintf(octal, sizeof octal, "\\%03o", static_cast<unsigned>(c));
    command += octal;
  }
  expect(command + "'", all);
}

BOOST_AUTO_TEST_CASE(what_the_command_prints_cannot_end_it) {
  // All that was typed, as the shell knows it, and a marker of a run before.
  expect("echo 'capsa-e-0123456789abcdef0123456789abcdef:0'",
         "capsa-e-0123456789abcdef0123456789abcdef:0\n");
  const auto all = exec("set; history; fc -l; trap; echo end; (exit 9)");
  BOOST_REQUIRE(all.ok());
  BOOST_TEST(all->status == 9);
  BOOST_TEST(all->output.ends_with("end\n"));
  for (const char* command : {"set -x; echo end; (exit 9)", "set -v; echo end; (exit 9)"}) {
    const auto got = exec(command);
    BOOST_REQUIRE(got.ok());
    BOOST_TEST(got->status == 9);
    BOOST_TEST(got->output.find("end\n") != std::string::npos);
    BOOST_TEST(got->output.find("capsa") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(nothing_of_ours_is_left_for_the_command_or_after_it) {
  expect("echo \"$#:$1:${__capsa-unset}\"", "0::unset\n");
  type("set -- one two\n");
  expect("echo \"$#\"", "0\n");
  BOOST_TEST(*run_command("echo $#:${__capsa-unset}", "vm# ") == "2:unset\n");
}

BOOST_AUTO_TEST_CASE(a_command_changes_only_its_own_shell) {
  expect("cd /; x=1; set -e; exec >/dev/null; false", "", 1);
  expect("echo ${x-unset}", "unset\n");
  type("cd /usr; x=2\n");
  expect("pwd; echo $x", "/usr\n2\n");
}

BOOST_AUTO_TEST_CASE(options_of_the_console_shell_do_not_show) {
  type("set -x\n");
  expect("echo a; false", "a\n", 1);
  type("set +x; set -u -e\n");
  expect("echo b; false", "b\n", 1);
  expect("echo c", "c\n");
}

BOOST_AUTO_TEST_CASE(long_commands_and_outputs_come_through) {
  std::string text;
  for (int i = 0; text.size() < 6000; ++i)
    text += std::to_string(i) + " it's line\n";
  expect("cat <<'END'\n" + text + "END", text);
  const auto got = exec("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done");
  BOOST_REQUIRE(got.ok());
  BOOST_TEST(got->output.size() == 108890U);
}

BOOST_AUTO_TEST_CASE(type_ahead_and_a_half_typed_line_do_not_get_in_the_way) {
  type("echo before\n");
  type("echo half");
  expect("echo ours", "ours\n");
}

BOOST_AUTO_TEST_CASE(a_narrow_terminal_any_prompt_and_no_echo_make_no_difference) {
  for (const char* term : {"vt100", "dumb"}) {
    Shell narrow("", 20, term);
    narrow.expect("echo one two three four five six seven", "one two three four five six seven\n");
    Shell odd("capsa-e-: $ \r\n>>> ", 30, term);
    odd.expect("echo x; (exit 4)", "x\n", 4);
  }
  type("stty -echo\n");
  expect("echo quiet", "quiet\n");
}

BOOST_AUTO_TEST_CASE(ctrl_c_ends_the_command_with_its_status) {
  auto script = capsa::console::ExecScript::make(kSleeper, capsa::console::fresh_nonce());
  const auto talk = std::make_shared<capsa::console::ExecParser>(std::move(*script));
  bool done = false;
  waiters().converse(talk, now(), [&](capsa::result<void> end) { done = end.ok(); });
  const auto begun = [&] { return waiters().ring().last_lines(1) == "go"; };
  BOOST_REQUIRE(run_until(begun));
  type("\x03");
  BOOST_REQUIRE(run_until([&] { return done; }));
  BOOST_REQUIRE(talk->outcome().ok());
  BOOST_TEST(talk->outcome()->output == "go\n^C");
  BOOST_TEST(talk->outcome()->status == 130);
}

BOOST_AUTO_TEST_CASE(after_a_command_that_was_given_up_the_shell_is_free) {
  auto script = capsa::console::ExecScript::make(kSleeper, capsa::console::fresh_nonce());
  const auto id =
      waiters().converse(std::make_shared<capsa::console::ExecParser>(std::move(*script)), now(),
                         [](const capsa::result<void>&) {});
  BOOST_REQUIRE(run_until([&] { return waiters().ring().last_lines(1) == "go"; }));
  BOOST_TEST(waiters().cancel(id, {ErrorCode::Timeout, ""}, now()));
  expect("echo next", "next\n");
}

BOOST_AUTO_TEST_CASE(run_command_gives_what_came_before_the_prompt) {
  BOOST_TEST(*run_command("echo hello", "# ") == "hello\n");
  BOOST_TEST(*run_command("cd /usr", "# ") == "");
  BOOST_TEST(*run_command("pwd", "# ") == "/usr\n");
  BOOST_TEST(*run_command(": '# '; echo \"two  blanks\"", "# ") == "two  blanks\n");
  expect("echo between", "between\n");
  BOOST_TEST(*run_command("printf x", "# ") == "x");
}

BOOST_AUTO_TEST_CASE(run_command_drops_an_echo_that_wraps) {
  const std::string words = "one two three four five six seven eight nine ten";
  for (const char* term : {"vt100", "dumb"}) {
    Shell narrow("vm# ", 20, term);
    BOOST_TEST(*narrow.run_command("echo " + words, "# ") == words + "\n");
    BOOST_TEST(*narrow.run_command("echo 'x'", "# ") == "x\n");
  }
}

BOOST_AUTO_TEST_CASE(run_command_works_without_echo) {
  BOOST_TEST(run_command("stty -echo", "# ").ok());
  BOOST_TEST(*run_command("echo hello", "# ") == "hello\n");
  BOOST_TEST(*run_command("true", "# ") == "");
}

BOOST_AUTO_TEST_CASE(login_finds_the_open_shell) {
  BOOST_TEST(login("root", std::nullopt).ok());
  expect("echo in", "in\n");
}

BOOST_AUTO_TEST_SUITE_END()
