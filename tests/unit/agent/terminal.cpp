#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>

#include "served_agent.hpp"

using namespace capsa;
using namespace capsa::agent;
using namespace capsa::agent::test;

namespace {

ExecSpec on_terminal(const std::string& line, PtySize size = {}) {
  auto spec = ExecSpec::shell_line(line);
  spec.pty = size;
  spec.stdin_open = true;
  return spec;
}

/// A terminal device of this machine, for a program to run on.
class Device {
 public:
  Device() : keyboard_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)) {
    BOOST_REQUIRE(keyboard_ && ::grantpt(keyboard_.get()) == 0 && ::unlockpt(keyboard_.get()) == 0);
    path_ = ::ptsname(keyboard_.get());
  }
  const std::string& path() const { return path_; }
  void type(std::string_view text) {
    BOOST_REQUIRE(::write(keyboard_.get(), text.data(), text.size()) ==
                  static_cast<ssize_t>(text.size()));
  }
  void wait_for(ServedAgent& agent, std::string_view text) {
    while (shown_.find(text) == std::string::npos) {
      agent.settle();
      std::array<char, 256> bytes;
      const auto n = ::read(keyboard_.get(), bytes.data(), bytes.size());
      if (n > 0) shown_.append(bytes.data(), static_cast<std::size_t>(n));
    }
  }

 private:
  UniqueFd keyboard_;
  std::string path_;
  std::string shown_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(agent_terminal)

BOOST_AUTO_TEST_CASE(a_program_on_a_terminal_has_its_size_and_learns_of_a_new_one) {
  ServedAgent agent;
  Ran ran;
  start(agent, on_terminal("stty size; read line; stty size", {50, 132}), ran);
  agent.run_until([&] { return ran.out.find("50 132\r\n") != std::string::npos; });
  agent.session().resize(ran.id, {10, 20});
  agent.session().stdin_write(ran.id, as_bytes("\n"));
  agent.run_until([&] { return ran.done.has_value(); });
  BOOST_TEST(ran.out.find("10 20\r\n") != std::string::npos);
  BOOST_TEST(ran.status().success());
  BOOST_TEST(ran.err.empty());
}

BOOST_AUTO_TEST_CASE(a_device_that_is_the_terminal_takes_a_size_as_well) {
  ServedAgent agent;
  Device device;
  auto spec = ExecSpec::shell_line("stty size; read line; stty size; read line");
  spec.terminal = device.path();
  spec.pty = PtySize{50, 132};
  Ran ran;
  start(agent, spec, ran);
  device.wait_for(agent, "50 132\r\n");
  agent.session().resize(ran.id, {10, 20});
  agent.settle();
  device.type("\n");
  device.wait_for(agent, "10 20\r\n");
  device.type("\n");
  agent.run_until([&] { return ran.done.has_value(); });
  BOOST_TEST(ran.status().success());
  BOOST_TEST(ran.out.empty());
}

BOOST_AUTO_TEST_CASE(the_terminal_is_the_controlling_one) {
  ServedAgent agent;
  Ran ran;
  start(agent,
        on_terminal("test -t 0 && test -t 1 && test -t 2 && echo t''ty > /dev/tty; echo $TERM"),
        ran);
  agent.run_until([&] { return ran.done.has_value(); });
  BOOST_TEST(ran.out == "tty\r\nxterm-256color\r\n");
}

BOOST_AUTO_TEST_CASE(an_interrupt_character_is_a_signal) {
  ServedAgent agent;
  Ran ran;
  start(agent, on_terminal("echo re''ady; exec sleep 1000"), ran);
  agent.run_until([&] { return ran.out.find("ready") != std::string::npos; });
  agent.session().stdin_write(ran.id, as_bytes("\x03"));
  agent.run_until([&] { return ran.done.has_value(); });
  BOOST_TEST(ran.status().signal == SIGINT);
}

BOOST_AUTO_TEST_CASE(closing_the_input_is_the_end_of_file_for_who_reads_lines) {
  ServedAgent agent;
  for (const std::string input : {"", "line\n", "no newline"}) {
    auto spec = on_terminal("stty -echo; echo re''ady; cat");
    Ran ran;
    start(agent, spec, ran);
    agent.run_until([&] { return ran.out.find("ready\r\n") != std::string::npos; });
    agent.session().stdin_write(ran.id, as_bytes(input));
    agent.session().stdin_close(ran.id);
    agent.run_until([&] { return ran.done.has_value(); });
    BOOST_TEST(ran.status().success());
  }
}

BOOST_AUTO_TEST_CASE(a_terminal_without_input_is_at_its_end) {
  ServedAgent agent;
  auto spec = on_terminal("cat; echo e''nd");
  spec.stdin_open = false;
  const auto ran = run(agent, spec);
  BOOST_TEST(ran.out.find("end\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(all_that_was_printed_before_the_end_arrives) {
  ServedAgent agent;
  auto spec = on_terminal("seq 20000");
  const auto ran = run(agent, spec);
  BOOST_TEST(ran.out.ends_with("19999\r\n20000\r\n"));
  BOOST_TEST(std::count(ran.out.begin(), ran.out.end(), '\n') == 20000);
}

BOOST_AUTO_TEST_SUITE_END()
