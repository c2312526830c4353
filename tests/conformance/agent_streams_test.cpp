#include <poll.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <mutex>
#include <tests/conformance/agent_guest.hpp>
#include <thread>

using namespace capsa;
using namespace std::chrono_literals;
using test::agent;
using test::code_of;

namespace {

std::string read_all(StreamReader reader) {
  std::string out;
  for (;;) {
    const auto piece = reader.read().get();
    if (piece.empty()) return out;
    out += piece;
  }
}

/// Everything through the end of file of a descriptor that does not block.
std::string read_all(int fd) {
  std::string out;
  std::string piece(1U << 16, '\0');
  for (;;) {
    const auto n = ::read(fd, piece.data(), piece.size());
    if (n < 0 && errno == EAGAIN) {
      pollfd entry{fd, POLLIN, 0};
      if (::poll(&entry, 1, 60'000) <= 0) return out + "<silence>";
      continue;
    }
    if (n <= 0) return out;
    out.append(piece, 0, static_cast<std::size_t>(n));
  }
}

/// Reads until `text` has come; what came is in `seen`.
bool read_until(StreamReader& reader, const std::string& text, std::string& seen) {
  while (seen.find(text) == std::string::npos) {
    auto next = reader.read();
    if (!next.wait_for(60s)) return false;
    const auto piece = next.get();
    if (piece.empty()) return false;
    seen += piece;
  }
  return true;
}

/// Prints so many bytes; the same as expected().
ExecSpec printer(int kib, const std::string& more = {}) {
  return ExecSpec::shell_line("i=0; while [ $i -lt " + std::to_string(kib) +
                              " ]; do printf '%01024d' $i; i=$((i+1)); done" + more);
}
std::string expected(int kib) {
  std::string out;
  for (int i = 0; i < kib; ++i) {
    const auto number = std::to_string(i);
    out += std::string(1024 - number.size(), '0') + number;
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(the_agents_processes_are_read)

BOOST_AUTO_TEST_CASE(with_futures_each_stream_for_itself) {
  auto process = agent().open(printer(1500, "; echo errors >&2; exit 7")).get();
  BOOST_TEST(process.process.pid() > 1);
  BOOST_TEST((read_all(process.stdout_reader) == expected(1500)));
  BOOST_TEST(read_all(process.stderr_reader) == "errors\n");
  BOOST_TEST(process.process.wait().get().code == 7);
  BOOST_TEST(process.stdout_reader.read().get().empty());
}

BOOST_AUTO_TEST_CASE(as_file_descriptors_to_their_ends) {
  auto process = agent().open(printer(1500, "; echo errors >&2")).get();
  const int out = process.stdout_reader.fd().value();
  const int err = process.stderr_reader.fd().value();
  BOOST_TEST(out != err);
  std::string errors;
  std::thread other([&] { errors = read_all(err); });
  BOOST_TEST((read_all(out) == expected(1500)));
  other.join();
  BOOST_TEST(errors == "errors\n");
  BOOST_TEST(process.process.wait().get().success());
}

BOOST_AUTO_TEST_CASE(and_are_held_back_by_who_does_not_read) {
  auto process = agent().open(printer(2000, "; echo done >&2")).get();
  auto end = process.process.wait();
  // What it is held back by is full long before: a terminal's worth is read, and it goes on.
  BOOST_TEST(!end.wait_for(2s));
  BOOST_TEST((read_all(process.stdout_reader) == expected(2000)));
  BOOST_TEST(end.get().success());
}

BOOST_AUTO_TEST_CASE(and_run_to_their_end_when_the_readers_have_gone) {
  auto started = agent().open(printer(1000, "; exit 5")).get();
  const auto process = started.process;
  {
    const auto dropped = std::move(started);
    BOOST_TEST(dropped.process.pid() == process.pid());
  }
  auto end = process.wait();
  BOOST_TEST_REQUIRE(end.wait_for(120s));
  BOOST_TEST(end.get().code == 5);
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_is_closed_by_dropping_its_reader_holds_up_nobody) {
  auto started = agent().open(printer(1000, "; exit 6")).get();
  const auto process = started.process;
  {
    const auto reader = std::move(started.stdout_reader);
    auto copy = reader;
    BOOST_TEST(copy.fd().ok());
  }
  BOOST_TEST(process.wait().get().code == 6);
}

BOOST_AUTO_TEST_CASE(after_their_end_and_what_they_are_given_is_theirs) {
  auto spec = ExecSpec::shell_line("read x; echo got $x");
  spec.stdin_open = true;
  auto process = agent().open(spec).get();
  auto read = process.stdout_reader.read();
  BOOST_TEST(!read.wait_for(100ms));
  process.process.write_stdin("input\n").get();
  BOOST_TEST(process.process.wait().get().success());
  BOOST_TEST(read.get() == "got input\n");
  BOOST_TEST(code_of(agent().open(ExecSpec::command({"/no/such/program"}))) ==
             ErrorCode::GuestError);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(a_terminal_of_the_agent)

BOOST_AUTO_TEST_CASE(is_resized_and_the_shell_on_it_is_told) {
  auto spec = ExecSpec::shell_line(
      "trap 'echo size $(stty size)' WINCH; stty size; while :; do read line && break; done; "
      "echo $line; exit 7");
  spec.pty = PtySize{33, 77};
  spec.stdin_open = true;
  auto shell = agent().open(spec).get();
  BOOST_TEST(shell.stderr_reader.read().get().empty());
  std::string seen;
  BOOST_TEST_REQUIRE(read_until(shell.stdout_reader, "33 77\r\n", seen));
  shell.process.resize({40, 100}).get();
  // The trap runs once the shell is back from read(2), which the signal or the line ends.
  shell.process.write_stdin("typed\n").get();
  BOOST_TEST_REQUIRE(read_until(shell.stdout_reader, "size 40 100\r\n", seen), seen);
  BOOST_TEST(shell.process.wait().get().code == 7);
}

BOOST_AUTO_TEST_CASE(kills_the_foreground_job_at_ctrl_c_and_leaves_the_shell) {
  auto spec = ExecSpec::command({"sh", "-i"});
  spec.pty = PtySize{};
  spec.stdin_open = true;
  auto shell = agent().open(spec).get();
  std::string seen;
  // The shell's echo of the line has "$((", its output has the number.
  shell.process.write_stdin("sh -c 'echo job-$((20+3)); exec sleep 600'\n").get();
  BOOST_TEST_REQUIRE(read_until(shell.stdout_reader, "job-23", seen), seen);
  shell.process.write_stdin("\x03").get();
  shell.process.write_stdin("echo after-$?-$((20+4))\n").get();
  BOOST_TEST_REQUIRE(read_until(shell.stdout_reader, "after-130-24", seen), seen);
  shell.process.write_stdin("exit 9\n").get();
  BOOST_TEST(shell.process.wait().get().code == 9);
}

BOOST_AUTO_TEST_CASE(ends_with_a_hangup_for_who_ignores_no_signal) {
  auto spec = ExecSpec::command({"sleep", "600"});
  spec.pty = PtySize{};
  auto sleeper = agent().open(spec).get();
  sleeper.process.signal(1).get();
  BOOST_TEST(sleeper.process.wait().get().signal == 1);
}

BOOST_AUTO_TEST_SUITE_END()
