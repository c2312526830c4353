#include <poll.h>
#include <pthread.h>
#include <unistd.h>
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <tests/conformance/guest_fixture.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::code_of;

namespace {

/// A guest with a shell on its console; "$ " or "# " is its prompt.
struct Shell {
  VmHandle vm;
  Console console;
  Shell() : vm(make()), console(vm.console().get()) {
    auto prompt = console.wait_for_any({"# ", "$ "});
    vm.start().get();
    prompt.get();
  }
  static VmHandle make() {
    return test::guest_vm(test::runtime())
        .console_enabled()
        .cmdline_arg("capsa.shell", "1")
        .timeout(60s)
        .build()
        .get();
  }
};
Shell& shell() {
  static Shell instance;
  return instance;
}
Console& console() {
  return shell().console;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(the_console)

BOOST_AUTO_TEST_CASE(is_read_up_to_a_match_and_keeps_the_rest) {
  console().write_line("echo a''b-one a''b-two").get();
  const auto first = console().wait_for("ab-one").get();
  BOOST_TEST(first.ends_with("ab-one"));
  BOOST_TEST(console().wait_for("ab-two").get() == " ab-two");
  console().wait_for("# ").get();
}

BOOST_AUTO_TEST_CASE(has_the_size_of_the_terminal_that_shows_it) {
  BOOST_TEST(code_of(console().resize({.rows = 0, .cols = 80})) == ErrorCode::InvalidConfig);
  if (!test::on_kvm()) {
    BOOST_TEST(code_of(console().resize({.rows = 43, .cols = 132})) ==
               ErrorCode::UnsupportedFeature);
    return;
  }
  BOOST_TEST(console().exec("stty size", 20s).get().output == "24 80\n");
  console().resize({.rows = 43, .cols = 132}).get();
  // The guest hears of it by an interrupt, which may come after the next line.
  auto seen =
      console().exec("while [ \"$(stty size)\" = '24 80' ]; do sleep 0.1; done; stty size", 20s);
  BOOST_TEST(seen.get().output == "43 132\n");
}

BOOST_AUTO_TEST_CASE(times_out_with_the_last_lines_and_loses_nothing) {
  const auto late = console().wait_for_timeout("never printed", 200ms).result();
  BOOST_TEST_REQUIRE(!late.ok());
  BOOST_TEST(late.error().code() == ErrorCode::Timeout);
  console().write_line("echo still''-here").get();
  BOOST_TEST(console().wait_for_timeout("still-here", 20s).get().ends_with("still-here"));
  console().wait_for("# ").get();
}

BOOST_AUTO_TEST_CASE(tells_which_of_several_patterns_came_first) {
  console().write_line("echo se''cond; echo fi''rst").get();
  const auto match = console().wait_for_any({"first", "second"}).get();
  BOOST_TEST(match.which == 1U);
  BOOST_TEST(match.lost == 0U);
  console().wait_for("first").get();
  console().wait_for("# ").get();
}

BOOST_AUTO_TEST_CASE(gives_what_is_there_without_waiting) {
  console().write_str("echo x''yz\n").get();
  console().wait_for("xyz\r\n").get();
  console().wait_for("# ").get();
  // A line editor may ask for the cursor's position (ESC [6n); text there is none.
  BOOST_TEST(console().read_available().get().find("xyz") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(runs_commands_and_gives_their_own_output_and_status) {
  const auto out = console().exec("echo one; echo two >&2; exit 7", 20s).get();
  BOOST_TEST(out.output == "one\ntwo\n");
  BOOST_TEST(out.status == 7);
  BOOST_TEST((console().exec("true", 20s).get() == ConsoleOutput{"", 0}));
  BOOST_TEST(console().exec("printf 'no newline'", 20s).get().output == "no newline");
  BOOST_TEST(console().exec("echo '# ' '$ ' \"quoted\" \\\\ '!'", 20s).get().output ==
             "#  $  quoted \\ !\n");
  BOOST_TEST(console().exec("for i in 1 2 3\ndo echo $i\ndone", 20s).get().output == "1\n2\n3\n");
  // All that the shell knows and was told, markers included, is only output.
  const auto confusing = console().exec("set; history 2>/dev/null; echo e''nd", 20s).get();
  BOOST_TEST(confusing.output.ends_with("end\n"));
  BOOST_TEST(confusing.status == 0);
  const std::string word(3000, 'w');
  BOOST_TEST(console().exec("echo " + word, 30s).get().output == word + "\n");
  BOOST_TEST(console().exec("sh -c 'kill -9 $$'", 30s).get().status == 137);
}

BOOST_AUTO_TEST_CASE(times_a_command_out_and_is_usable_afterwards) {
  const auto late = console().exec("sleep 600", 1s).result();
  BOOST_TEST_REQUIRE(!late.ok());
  BOOST_TEST(late.error().code() == ErrorCode::Timeout);
  BOOST_TEST(console().exec("echo ok", 20s).get().output == "ok\n");
}

// However far it had come: typed, taken by the shell, or begun.
BOOST_AUTO_TEST_CASE(times_a_command_out_that_had_not_begun) {
  for (int i = 1; i <= 12; ++i) {
    const auto late = console().exec("sleep 600", std::chrono::milliseconds(8 * i)).result();
    BOOST_TEST_REQUIRE(!late.ok());
    BOOST_TEST(late.error().code() == ErrorCode::Timeout);
    BOOST_TEST(console().exec("echo ok", 20s).get().output == "ok\n", "after " << 8 * i << " ms");
  }
}

BOOST_AUTO_TEST_CASE(runs_a_line_up_to_a_prompt) {
  BOOST_TEST(console().run_command("echo plain", "# ").get() == "plain\n");
  console().run_command("cd /proc", "# ").get();
  BOOST_TEST(console().run_command("pwd", "# ").get() == "/proc\n");
}

BOOST_AUTO_TEST_CASE(interrupts_and_ends_input) {
  // A process of its own: between two commands a shell only notes an interrupt, and some forget it.
  console().write_line("sh -c \"echo r''uns; sleep 600; echo af''ter-\"").get();
  console().wait_for("runs\r\n").get();
  BOOST_TEST(code_of(console().wait_for_timeout("after-", 500ms)) == ErrorCode::Timeout);
  console().send_interrupt().get();
  console().wait_for("# ").get();
  // The line editor has given the terminal back once a command prints.
  console().write_line("echo go''-cat; cat; echo ca''t-$?").get();
  console().wait_for("go-cat\r\n").get();
  console().send_eof().get();
  console().wait_for("cat-0").get();
  console().wait_for("# ").get();
}

BOOST_AUTO_TEST_CASE(logs_in_where_a_shell_is_open_and_at_a_prompt) {
  console().login("root").get();
  // A login as systems have it: asks for both, refuses what is wrong.
  console()
      .exec(
          "cat > /tmp/login <<'E'\nwhile :; do printf 'box login: '; read u; printf 'Password: '; "
          "stty -echo; read p; stty echo; echo; [ \"$u:$p\" = user:secret ] && exec sh; "
          "echo 'Login incorrect'; done\nE\n",
          20s)
      .get();
  console().write_line("sh /tmp/login").get();
  console().wait_for("login: ").get();
  BOOST_TEST(code_of(console().login("user", "wrong")) == ErrorCode::LoginFailed);
  console().login("user", "secret").get();
  BOOST_TEST(console().exec("echo in", 20s).get().output == "in\n");
  console().write_line("exit").get();
}

BOOST_AUTO_TEST_CASE(splits_into_a_reader_and_a_writer_without_losing_a_byte) {
  auto [reader, writer] = console().split();
  writer.write("echo sp''lit\n").get();
  std::string seen;
  while (seen.find("split") == std::string::npos)
    seen += reader.read().get();
  const int out = writer.fd().value();
  const int in = reader.fd().value();
  const std::string line = "echo by''-fd\n";
  BOOST_TEST(::write(out, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  std::string by_fd;
  while (by_fd.find("by-fd") == std::string::npos) {
    pollfd entry{in, POLLIN, 0};
    BOOST_TEST_REQUIRE(::poll(&entry, 1, 20'000) == 1);
    char bytes[256];
    const auto n = ::read(in, bytes, sizeof bytes);
    BOOST_TEST_REQUIRE(n > 0);
    by_fd.append(bytes, static_cast<std::size_t>(n));
  }
}

// SIGPIPE is at its default here, as in most programs: it would end this one.
BOOST_AUTO_TEST_CASE(outlives_a_reader_who_closed_its_descriptor) {
  {
    auto [reader, writer] = console().split();
    BOOST_TEST(reader.fd().value() >= 0);
  }
  // Nobody waits for the closed descriptor: of what comes now nothing is lost, not even the first
  // of it, which is the line's echo.
  console().write_line("echo mar''ker").get();
  BOOST_TEST(console().wait_for("marker").get().find("echo mar''ker") != std::string::npos);
  BOOST_TEST(console().exec("echo on", 20s).get().output == "on\n");
}

BOOST_AUTO_TEST_CASE(takes_the_request_back_of_who_has_no_time_left) {
  const auto vm = test::guest_vm(test::runtime()).console_enabled().timeout(500ms).build().get();
  auto quiet = vm.console().get();
  const auto read = quiet.split().first.read().result();
  BOOST_TEST_REQUIRE(!read.ok());
  BOOST_TEST(read.error().code() == ErrorCode::Timeout);
  // So says only the console itself, which has taken the request back.
  BOOST_TEST(read.error().message() ==
             "waited 500 ms for output on the console; the console is empty");
  // No time at all is a look at what is there, not a wait without end.
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(code_of(quiet.wait_for_timeout("x", 0ms)) == ErrorCode::Timeout);
  BOOST_TEST(code_of(quiet.wait_for_any({"x", "y"}, -1ms)) == ErrorCode::Timeout);
  BOOST_TEST(code_of(quiet.exec("true", 0ms)) == ErrorCode::Timeout);
  BOOST_TEST(code_of(vm.wait_timeout(0ms)) == ErrorCode::Timeout);
  BOOST_TEST(quiet.read_available().get().empty());
  BOOST_TEST((std::chrono::steady_clock::now() - began < 5s));
  BOOST_TEST(!quiet.wait_for_timeout("x", std::chrono::milliseconds::max()).wait_for(100ms));
}

BOOST_AUTO_TEST_CASE(tells_of_a_shutdown_on_the_callback_thread_and_in_order) {
  Runtime own;
  auto vm = test::guest_vm(own).console_enabled().build().get();
  auto quiet = vm.console().get();
  std::vector<std::string> seen;  // by one thread, which shutdown() waits for
  const auto note = [&seen](const std::string& what) {
    char thread[16] = {};
    ::pthread_getname_np(::pthread_self(), thread, sizeof thread);
    seen.push_back(what + " on " + thread);
  };
  // One after the other: only with the first done the next is due.
  auto gone = vm.wait()
                  .then([&](result<std::optional<int>>) {
                    note("the end");
                    // Whoever answers this, it is not this thread.
                    BOOST_TEST(code_of(vm.kill()).has_value());
                  })
                  .then([&](const result<void>&) { note("what follows it"); });
  auto waiting = quiet.wait_for("never printed").then([&](const result<std::string>& end) {
    BOOST_TEST(!end.ok());
    BOOST_TEST(code_of(vm.start()).has_value());
    note("the console");
  });
  own.shutdown();
  BOOST_TEST(gone.wait_for(0s));
  BOOST_TEST(waiting.wait_for(0s));
  std::sort(seen.begin(), seen.end());
  const std::vector<std::string> expected = {"the console on capsa-callback",
                                             "the end on capsa-callback",
                                             "what follows it on capsa-callback"};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
  // Afterwards nothing is left that a function could be in the way of.
  bool ran = false;
  auto late = vm.wait().then([&](result<std::optional<int>>) { ran = true; });
  BOOST_TEST(ran);
  BOOST_TEST(late.wait_for(0s));
}

BOOST_AUTO_TEST_CASE(ends_every_wait_when_the_vm_ends) {
  auto waiting = console().wait_for("never printed");
  shell().vm.kill().get();
  const auto end = waiting.result();
  BOOST_TEST_REQUIRE(!end.ok());
  BOOST_TEST(end.error().code() == ErrorCode::VmEnded);
  BOOST_TEST(code_of(console().write("x")) == ErrorCode::NotRunning);
}

BOOST_AUTO_TEST_SUITE_END()
