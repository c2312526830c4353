#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/host_state.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::runtime;

BOOST_AUTO_TEST_SUITE(a_sandbox)

BOOST_AUTO_TEST_CASE(runs_a_command_with_a_share_and_gives_its_status) {
  const auto dir = std::filesystem::temp_directory_path() / "capsa-sandbox-test";
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "in") << "from the host";
  test::guest();
  std::string out;
  std::string err;
  OutputHandlers handlers{[&](std::string_view s) { out += s; },
                          [&](std::string_view s) { err += s; }};
  auto vm = test::sandbox()
                .name("box")
                .share(dir, "/mnt/ws", MountMode::ReadWrite)
                .env("GREETING", "hello there")
                .working_dir("/mnt/ws")
                .run("/bin/sh", {"-c",
                                 "cat in; echo; echo $GREETING; hostname; echo oops >&2; "
                                 "echo from the guest > out; read line; echo got $line; exit 42"})
                .on_output(handlers)
                .build()
                .get();
  auto main = vm.main_process().get();
  main.write_stdin("a line\n").get();
  BOOST_TEST((vm.wait().get() == std::optional<int>(42)));
  BOOST_TEST(vm.status() == VmStatus::stopped(42));
  // At any time, all get the same.
  BOOST_TEST(main.wait().get().code == 42);
  BOOST_TEST(vm.main_process().get().wait().get().code == 42);
  BOOST_TEST(out == "from the host\nhello there\nbox\ngot a line\n");
  BOOST_TEST(err == "oops\n");
  std::ifstream written(dir / "out");
  std::string line;
  std::getline(written, line);
  BOOST_TEST(line == "from the guest");
  std::filesystem::remove_all(dir);
}

BOOST_AUTO_TEST_CASE(has_an_agent_beside_its_command_and_ends_with_a_signal) {
  test::guest();
  auto vm = test::sandbox().run("/bin/sh", {"-c", "sleep infinity"}).build().get();
  const auto socket = vm.vsock_socket(sandbox::agent_port());
  BOOST_TEST_REQUIRE(socket.has_value());
  BOOST_TEST(socket->connects());
  auto agent = sandbox::wait_ready(*socket).get();
  agent.ping().get();
  auto main = vm.main_process().get();
  BOOST_TEST(agent.exec("kill -TERM " + std::to_string(main.pid())).get().status.code == 0);
  BOOST_TEST((vm.wait().get() == std::optional<int>(128 + 15)));
}

BOOST_AUTO_TEST_CASE(whose_command_uses_the_console_is_read_and_typed_at_there) {
  test::guest();
  auto vm = test::sandbox()
                .run("/bin/sh", {"-c", "stty size; echo re''ady; read x; echo got-$x; exit 3"})
                .pty({40, 100})
                .build()
                .get();
  auto console = vm.console().get();
  console.wait_for_timeout("40 100\r\n", 60s).get();
  console.wait_for_timeout("ready\r\n", 60s).get();
  console.write_line("typed").get();
  console.wait_for_timeout("got-typed", 20s).get();
  BOOST_TEST((vm.wait().get() == std::optional<int>(3)));
}

BOOST_AUTO_TEST_CASE(whose_command_does_not_exist_says_so) {
  test::guest();
  auto vm = test::sandbox().run("no-such-command").build().get();
  const auto main = vm.main_process().result();
  BOOST_TEST_REQUIRE(!main.ok());
  BOOST_TEST(main.error().code() == ErrorCode::GuestError);
  BOOST_TEST(main.error().guest_errno() == ENOENT);
  BOOST_TEST(test::code_of(vm.wait()) == ErrorCode::VmEnded);
}

BOOST_AUTO_TEST_CASE(whose_machine_fails_tells_the_machines_words) {
  test::guest();
  if (!test::on_kvm()) {
    auto vm = test::sandbox().run("/bin/sh", {"-c", "sleep infinity"}).build().get();
    vm.main_process().get();
    const auto machines = test::qemu_processes(::getpid());
    BOOST_TEST_REQUIRE(machines.size() == 1U);
    ::kill(machines[0], SIGKILL);
    const auto end = vm.wait().result();
    BOOST_TEST_REQUIRE(!end.ok());
    BOOST_TEST(end.error().message().find("QEMU ended") != std::string::npos,
               end.error().message());
  }
  auto vm = test::sandbox()
                .run("/bin/sh", {"-c", "echo c > /proc/sysrq-trigger; sleep infinity"})
                .build()
                .get();
  const auto end = vm.wait().result();
  BOOST_TEST_REQUIRE(!end.ok());
  BOOST_TEST(end.error().message().find("panicked") != std::string::npos, end.error().message());
}

BOOST_AUTO_TEST_CASE(that_is_stopped_before_its_command_runs_has_not_failed) {
  test::guest();
  auto vm = test::sandbox().run("/bin/sh", {"-c", "sleep infinity"}).build().get();
  vm.stop_with_timeout(60s).get();
  BOOST_TEST(vm.status().is<VmStatus::Stopped>(), to_string(vm.status()));
}

BOOST_AUTO_TEST_SUITE_END()
