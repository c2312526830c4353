#include <boost/test/unit_test.hpp>
#include <mutex>
#include <stdexcept>
#include <tests/conformance/agent_guest.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::agent;
using test::code_of;

namespace {

constexpr std::size_t kBig = 100U << 20;

int errno_of(future<void> f) {
  const auto r = f.result();
  return r.ok() ? 0 : r.error().guest_errno();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(the_agent)

BOOST_AUTO_TEST_CASE(exec_gives_streams_apart_and_the_status) {
  const auto out = agent().exec("echo out; echo err >&2; exit 42").get();
  BOOST_TEST(out.stdout_data == "out\n");
  BOOST_TEST(out.stderr_data == "err\n");
  BOOST_TEST(out.status.code == 42);
  BOOST_TEST(agent().exec("kill -9 $$").get().status.shell_status() == 137);
  BOOST_TEST(agent().exec("echo $A-$B", {{"A", "1 2"}, {"B", "'q'"}}).get().stdout_data ==
             "1 2-'q'\n");
  auto spec = ExecSpec::command({"pwd"});
  spec.working_dir = "/proc";
  BOOST_TEST(agent().exec(spec).get().stdout_data == "/proc\n");
  spec = ExecSpec::command({"sleep", "60"});
  spec.timeout = 200ms;
  const auto late = agent().exec(spec).get();
  BOOST_TEST(late.status.timed_out);
  const auto missing = agent().exec(ExecSpec::command({"/no/such/program"})).result();
  BOOST_TEST_REQUIRE(!missing.ok());
  BOOST_TEST(missing.error().code() == ErrorCode::GuestError);
  BOOST_TEST(missing.error().guest_errno() == ENOENT);
}

BOOST_AUTO_TEST_CASE(a_process_is_fed_signalled_resized_and_waited_for) {
  std::mutex mutex;
  std::string seen;
  OutputHandlers handlers;
  handlers.on_stdout = [&](std::string_view bytes) {
    std::lock_guard lock(mutex);
    seen += bytes;
  };
  ExecSpec spec = ExecSpec::command({"cat"});
  spec.stdin_open = true;
  auto cat = agent().start(spec, handlers).get();
  BOOST_TEST(cat.pid() > 1);
  cat.write_stdin("one ").get();
  cat.write_stdin("two").get();
  cat.close_stdin().get();
  BOOST_TEST(cat.wait().get().code == 0);
  BOOST_TEST(seen == "one two");  // who has the status has all of the output
  BOOST_TEST(cat.wait().get().code == 0);
  BOOST_TEST(code_of(cat.write_stdin("late")) == ErrorCode::ConnectionClosed);

  auto sleeper = agent().start(ExecSpec::command({"sleep", "600"})).get();
  sleeper.signal(15).get();
  BOOST_TEST(sleeper.wait().get().signal == 15);

  seen.clear();
  spec = ExecSpec::shell_line("stty size; read line; stty size");
  spec.stdin_open = true;
  spec.pty = PtySize{33, 77};
  auto tty = agent().start(spec, handlers).get();
  tty.resize({40, 100}).get();
  tty.write_stdin("\n").get();
  BOOST_TEST(tty.wait().get().code == 0);
  BOOST_TEST(seen.find("40 100") != std::string::npos, seen);
}

BOOST_AUTO_TEST_CASE(a_hundred_mebibytes_through_a_process_come_back_the_same) {
  const auto data = test::random_bytes(kBig, 1);
  std::string back;
  back.reserve(kBig);
  OutputHandlers handlers;
  handlers.on_stdout = [&](std::string_view bytes) { back += bytes; };
  ExecSpec spec = ExecSpec::command({"cat"});
  spec.stdin_open = true;
  auto cat = agent().start(spec, handlers).get();
  constexpr std::size_t kPiece = 1U << 20;
  for (std::size_t at = 0; at < data.size(); at += kPiece)
    cat.write_stdin(data.substr(at, kPiece)).get();
  cat.close_stdin().get();
  BOOST_TEST(cat.wait().get().code == 0);
  BOOST_TEST(test::sha256(back) == test::sha256(data));
}

BOOST_AUTO_TEST_CASE(a_hundred_mebibytes_through_a_file_come_back_the_same) {
  const auto data = test::random_bytes(kBig, 2);
  agent().write_file("/tmp/big", data, 0640).get();
  const auto sum = agent().exec("sha256sum /tmp/big | cut -d' ' -f1").get().stdout_data;
  BOOST_TEST(sum == test::sha256(data) + "\n");
  const auto stat = agent().stat("/tmp/big").get();
  BOOST_TEST(stat.size == kBig);
  BOOST_TEST(stat.mode == 0640U);
  BOOST_TEST(test::sha256(agent().read_file("/tmp/big").get()) == test::sha256(data));
  std::uint64_t streamed = 0;
  BOOST_TEST(
      agent().read_file("/tmp/big", [&](std::string_view s) { streamed += s.size(); }).get() ==
      kBig);
  BOOST_TEST(streamed == kBig);
  agent().remove("/tmp/big").get();
  BOOST_TEST(!agent().exists("/tmp/big").get());
}

BOOST_AUTO_TEST_CASE(a_file_is_read_inside_a_continuation) {
  agent().write_file("/tmp/small", "content").get();
  auto inside = agent().ping().then([](const result<void>&) -> result<std::string> {
    auto content = agent().read_file("/tmp/small");
    if (!content.wait_for(30s)) return std::string("never");
    return content.result();
  });
  BOOST_TEST(inside.get() == "content");
}

BOOST_AUTO_TEST_CASE(a_function_that_throws_holds_up_nobody) {
  OutputHandlers handlers;
  handlers.on_stdout = [](std::string_view) { throw std::runtime_error("no"); };
  auto process = agent().start(ExecSpec::shell_line("echo out; exit 3"), handlers).get();
  auto end = process.wait();
  BOOST_TEST_REQUIRE(end.wait_for(30s));
  BOOST_TEST(end.get().code == 3);
  auto size = agent().read_file("/proc/version", [](std::string_view) { throw 1; });
  BOOST_TEST_REQUIRE(size.wait_for(30s));
  BOOST_TEST(size.get() > 0U);
}

BOOST_AUTO_TEST_CASE(files_and_directories_are_handled_with_the_guests_errno) {
  agent().mkdir("/tmp/d/e/f").get();
  agent().write_file("/tmp/d/e/file", "content").get();
  BOOST_TEST(agent().exists("/tmp/d/e/file").get());
  BOOST_TEST(agent().read_file("/tmp/d/e/file").get() == "content");
  const auto entries = agent().list_dir("/tmp/d/e").get();
  BOOST_TEST_REQUIRE(entries.size() == 2U);
  BOOST_TEST(entries[0].name == "f");
  BOOST_TEST((entries[0].stat.kind == FileKind::Directory));
  BOOST_TEST(entries[1].name == "file");
  agent().rename("/tmp/d/e/file", "/tmp/d/moved").get();
  BOOST_TEST(agent().read_file("/tmp/d/moved").get() == "content");
  BOOST_TEST(errno_of(agent().remove("/tmp/d")) == ENOTEMPTY);
  agent().remove("/tmp/d", true).get();
  BOOST_TEST(!agent().exists("/tmp/d").get());
  BOOST_TEST(errno_of(agent().rename("/tmp/no", "/tmp/x")) == ENOENT);
  const auto r = agent().read_file("/no/such").result();
  BOOST_TEST_REQUIRE(!r.ok());
  BOOST_TEST(r.error().guest_errno() == ENOENT);
}

BOOST_AUTO_TEST_CASE(a_hundred_requests_at_once_are_all_answered) {
  std::vector<future<ExecResult>> running;
  for (int i = 0; i < 100; ++i)
    running.push_back(agent().exec("echo " + std::to_string(i)));
  for (int i = 0; i < 100; ++i)
    BOOST_TEST(running[static_cast<std::size_t>(i)].get().stdout_data == std::to_string(i) + "\n");
}

BOOST_AUTO_TEST_CASE(the_guest_has_the_hosts_time_a_loopback_and_no_zombies) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const auto guest = std::stoll(agent().exec("date +%s").get().stdout_data);
  BOOST_TEST(std::abs(guest - now) <= 5);
  BOOST_TEST(agent().exec("ping -c1 -w5 127.0.0.1 >/dev/null").get().status.code == 0);
  // Orphans are reaped by init. That the count can see a zombie is shown first, by a process that
  // does not reap its child.
  const std::string count = "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '";
  BOOST_TEST(agent().exec("sh -c 'sleep 0 & exec sleep 5' & sleep 1; " + count).get().stdout_data ==
             "1\n");
  agent().exec("for i in 1 2 3 4 5; do (true &) ; done; sleep 6").get();
  BOOST_TEST(agent().exec(count).get().stdout_data == "0\n");
}

BOOST_AUTO_TEST_SUITE_END()
