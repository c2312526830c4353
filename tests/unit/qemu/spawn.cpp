#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <backends/qemu/child_monitor.hpp>
#include <backends/qemu/spawn.hpp>
#include <backends/runtime_dir/libexec.hpp>
#include <backends/runtime_dir/process_identity.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <future>
#include <sstream>
#include <tests/support/scratch_dir.hpp>
#include <tests/support/test_loop.hpp>

using capsa::ErrorCode;
using capsa::result;
using capsa::UniqueFd;
using capsa::tests::ScratchDir;
using capsa::tests::TestLoop;
using namespace capsa::qemu;

namespace {

SpawnRequest shell(const std::string& script) {
  SpawnRequest request;
  request.launcher = capsa::libexec_program("capsa-launcher");
  request.program = "/bin/sh";
  request.arguments = {"-c", script};
  return request;
}

result<ChildProcess> spawn_and_wait(Spawner& spawner, SpawnRequest request) {
  std::promise<std::shared_ptr<result<ChildProcess>>> promise;
  spawner.spawn(std::move(request), [&](result<ChildProcess> child) {
    promise.set_value(std::make_shared<result<ChildProcess>>(std::move(child)));
  });
  return std::move(*promise.get_future().get());
}

struct Ended {
  ExitStatus status;
  std::string errors;
};

Ended run(SpawnRequest request) {
  TestLoop loop;
  Spawner spawner;
  auto child = spawn_and_wait(spawner, std::move(request));
  BOOST_TEST_REQUIRE(child.ok());
  std::optional<ExitStatus> status;
  ChildMonitor monitor(loop, std::move(*child), [&](ExitStatus with) { status = with; });
  BOOST_TEST_REQUIRE(loop.run_until([&] { return status.has_value(); }));
  return {*status, monitor.errors()};
}

std::string content(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

bool ready_within(int fd, std::chrono::milliseconds limit) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, static_cast<int>(limit.count())) == 1;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(spawn)

BOOST_AUTO_TEST_CASE(exit_status_and_errors_are_told) {
  const auto ended = run(shell("echo oh no >&2; exit 3"));
  BOOST_TEST(!ended.status.signaled);
  BOOST_TEST(ended.status.value == 3);
  BOOST_TEST(ended.errors == "oh no\n");
  const auto killed = run(shell("kill -11 $$"));
  BOOST_TEST(killed.status.signaled);
  BOOST_TEST(killed.status.describe() == "killed by signal 11");
}

BOOST_AUTO_TEST_CASE(only_the_tail_of_a_flood_is_kept) {
  const auto ended =
      run(shell("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789 >&2; "
                "i=$((i+1)); done; echo last >&2"));
  BOOST_TEST(ended.errors.size() == ChildMonitor::kKeptErrors);
  BOOST_TEST(ended.errors.ends_with("last\n"));
}

BOOST_AUTO_TEST_CASE(a_program_that_cannot_be_run_is_named) {
  auto request = shell("");
  request.program = "/nonexistent/qemu";
  const auto ended = run(std::move(request));
  BOOST_TEST(ended.status.value == 127);
  BOOST_TEST(ended.errors == "capsa-launcher: run /nonexistent/qemu: No such file or directory\n");
}

BOOST_AUTO_TEST_CASE(a_missing_launcher_is_an_error) {
  Spawner spawner;
  auto request = shell("");
  request.launcher = "/nonexistent/capsa-launcher";
  const auto child = spawn_and_wait(spawner, std::move(request));
  BOOST_TEST_REQUIRE(!child.ok());
  BOOST_TEST((child.error().code() == ErrorCode::NotFound));
  BOOST_TEST(!child.error().hint().empty());
}

BOOST_AUTO_TEST_CASE(a_child_gets_its_descriptors_and_no_other) {
  const ScratchDir scratch;
  std::array<int, 2> pair{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0);
  const UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  // Inheritable, as a careless host program makes them.
  const UniqueFd stray(::open("/dev/null", O_RDONLY));
  auto request = shell("echo hello >&4; exec ls /proc/self/fd >&3");
  auto names = duplicate_for_child(theirs.get());
  auto copy = duplicate_for_child(theirs.get());
  BOOST_TEST_REQUIRE((names.ok() && copy.ok()));
  request.fds.push_back({std::move(*names), 3});
  request.fds.push_back({std::move(*copy), 4});
  const auto ended = run(std::move(request));
  theirs.reset();
  BOOST_TEST(ended.status.value == 0);
  std::array<char, 256> text{};
  std::string got;
  ssize_t length = 0;
  while ((length = ::read(ours.get(), text.data(), text.size())) > 0)
    got.append(text.data(), static_cast<std::size_t>(length));
  BOOST_TEST(got == "hello\n0\n1\n2\n3\n4\n5\n");  // 5 is the directory that ls reads
}

BOOST_AUTO_TEST_CASE(a_child_starts_with_default_signals_and_a_session_of_its_own) {
  ::signal(SIGUSR1, SIG_IGN);
  const auto ended =
      run(shell("grep -E '^Sig(Blk|Ign)' /proc/self/status >&2; ps -o sid= -p $$ | tr -d ' ' >&2; "
                "echo $$ >&2"));
  ::signal(SIGUSR1, SIG_DFL);
  std::istringstream lines(ended.errors);
  std::string blocked;
  std::string ignored;
  std::string session;
  std::string pid;
  std::getline(lines, blocked);
  std::getline(lines, ignored);
  std::getline(lines, session);
  std::getline(lines, pid);
  BOOST_TEST(blocked == "SigBlk:\t0000000000000000");
  // 32 and 33 belong to the C library, which lets nobody set them.
  BOOST_TEST((std::stoull(ignored.substr(ignored.find('\t') + 1), nullptr, 16) & ~(3ULL << 31)) ==
             0u);
  BOOST_TEST(session == pid);
}

BOOST_AUTO_TEST_CASE(a_child_sees_little_of_the_environment) {
  ::setenv("CAPSA_TEST_SECRET", "hunter2", 1);
  auto request = shell("");
  request.program = "/usr/bin/env";
  request.arguments = {"sh", "-c", "env >&2"};
  const auto ended = run(std::move(request));
  ::unsetenv("CAPSA_TEST_SECRET");
  BOOST_TEST(ended.errors.find("hunter2") == std::string::npos);
  BOOST_TEST(ended.errors.find("LC_ALL=C\n") != std::string::npos);
  BOOST_TEST(ended.errors.find("PATH=") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_pid_file_names_the_very_process) {
  const ScratchDir scratch;
  Spawner spawner;
  std::array<int, 2> pair{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
  const UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  auto request = shell("echo x >&3; exec sleep 1000");
  request.fds.push_back({std::move(*duplicate_for_child(theirs.get())), 3});
  theirs.reset();
  request.pid_file = scratch.path() / "it.pid";
  auto child = spawn_and_wait(spawner, std::move(request));
  BOOST_TEST_REQUIRE(child.ok());
  char byte = 0;
  BOOST_TEST_REQUIRE(::read(ours.get(), &byte, 1) == 1);
  const auto recorded = capsa::parse_pid_file(content(scratch.path() / "it.pid"));
  BOOST_TEST_REQUIRE(recorded.has_value());
  BOOST_TEST(recorded->pid == child->pid());
  BOOST_TEST(capsa::is_alive(*recorded));
}

BOOST_AUTO_TEST_CASE(a_child_let_go_of_is_killed_and_reaped) {
  pid_t pid = 0;
  UniqueFd pidfd;
  {
    Spawner spawner;
    auto child = spawn_and_wait(spawner, shell("exec sleep 1000"));
    BOOST_TEST_REQUIRE(child.ok());
    pid = child->pid();
    pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    { const ChildProcess gone = std::move(*child); }
    BOOST_TEST(ready_within(pidfd.get(), std::chrono::seconds(5)));
  }
  // No zombie: there is no child to wait for.
  BOOST_TEST(::waitpid(pid, nullptr, WNOHANG) == -1);
}

BOOST_AUTO_TEST_CASE(a_pid_file_goes_with_whoever_reaps_its_process) {
  const ScratchDir scratch;
  const auto file = scratch.path() / "it.pid";
  const auto start = [&](Spawner& spawner, const std::string& script) {
    auto request = shell("echo ready >&2; " + script);
    request.pid_file = file;
    auto child = spawn_and_wait(spawner, std::move(request));
    BOOST_TEST_REQUIRE(child.ok());
    BOOST_TEST_REQUIRE(ready_within(child->errors(), std::chrono::seconds(20)));
    BOOST_TEST_REQUIRE(std::filesystem::exists(file));
    return std::move(*child);
  };
  {
    Spawner spawner;
    auto child = start(spawner, "exit 0");
    BOOST_TEST_REQUIRE(ready_within(child.pidfd(), std::chrono::seconds(20)));
    BOOST_TEST(std::filesystem::exists(file));
    BOOST_TEST(child.try_reap().has_value());
    BOOST_TEST(!std::filesystem::exists(file));
  }
  {
    Spawner spawner;
    { const auto let_go = start(spawner, "exec sleep 1000"); }
  }
  BOOST_TEST(!std::filesystem::exists(file));
  std::optional<ChildProcess> outliving;
  {
    Spawner spawner;
    outliving.emplace(start(spawner, "exec sleep 1000"));
  }
  outliving.reset();
  BOOST_TEST(!std::filesystem::exists(file));
}

BOOST_AUTO_TEST_CASE(a_pid_file_that_is_a_later_childs_stays) {
  const ScratchDir scratch;
  const auto file = scratch.file("it.pid", "1234 5678\n");
  remove_pid_file(file, 1233);
  BOOST_TEST(std::filesystem::exists(file));
  remove_pid_file(file, 1234);
  BOOST_TEST(!std::filesystem::exists(file));
  // One whose process was killed while it wrote names nobody.
  scratch.file("it.pid", "");
  remove_pid_file(file, 1234);
  BOOST_TEST(!std::filesystem::exists(file));
  remove_pid_file(file, 1234);
  remove_pid_file({}, 1234);
}

BOOST_AUTO_TEST_CASE(a_child_that_outlives_its_spawner_is_killed) {
  std::optional<ChildProcess> held;
  {
    Spawner spawner;
    auto child = spawn_and_wait(spawner, shell("echo ready >&2; exec sleep 1000"));
    BOOST_TEST_REQUIRE(child.ok());
    BOOST_TEST_REQUIRE(ready_within(child->errors(), std::chrono::seconds(20)));
    held.emplace(std::move(*child));
  }
  BOOST_TEST(ready_within(held->pidfd(), std::chrono::seconds(5)));
  const pid_t pid = held->pid();
  held.reset();
  BOOST_TEST(::waitpid(pid, nullptr, WNOHANG) == -1);
}

BOOST_AUTO_TEST_CASE(children_die_with_a_process_that_is_killed) {
  const ScratchDir scratch;
  std::array<int, 2> pipe{};
  BOOST_TEST_REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  const UniqueFd from_helper(pipe[0]);
  UniqueFd to_parent(pipe[1]);
  const pid_t helper = ::fork();
  BOOST_TEST_REQUIRE(helper >= 0);
  if (helper == 0) {
    // Never returns into the test: it spawns, tells, and waits to be killed.
    Spawner spawner;
    auto child = spawn_and_wait(spawner, shell("echo ready >&2; exec sleep 1000"));
    if (!child.ok()) ::_exit(1);
    pollfd wait{child->errors(), POLLIN, 0};
    ::poll(&wait, 1, -1);
    const pid_t pid = child->pid();
    if (::write(to_parent.get(), &pid, sizeof pid) != sizeof pid) ::_exit(1);
    for (;;)
      ::pause();
  }
  to_parent.reset();
  pid_t child = 0;
  BOOST_TEST_REQUIRE(::read(from_helper.get(), &child, sizeof child) ==
                     static_cast<ssize_t>(sizeof child));
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  BOOST_TEST_REQUIRE(!!pidfd);
  BOOST_TEST(!ready_within(pidfd.get(), std::chrono::milliseconds(0)));
  ::kill(helper, SIGKILL);
  ::waitpid(helper, nullptr, 0);
  BOOST_TEST(ready_within(pidfd.get(), std::chrono::seconds(5)));
}

BOOST_AUTO_TEST_CASE(a_launcher_whose_parent_is_gone_runs_nothing) {
  const ScratchDir scratch;
  const auto marker = scratch.path() / "ran";
  const std::string command = capsa::libexec_program("capsa-launcher").string() +
                              " 1 '' -- /bin/touch " + marker.string() + " 2>/dev/null";
  BOOST_TEST(WEXITSTATUS(std::system(command.c_str())) == 127);
  BOOST_TEST(!std::filesystem::exists(marker));
}

BOOST_AUTO_TEST_CASE(a_pid_file_is_not_written_through_a_link) {
  const ScratchDir scratch;
  const auto target = scratch.file("target", "precious");
  std::filesystem::create_symlink(target, scratch.path() / "it.pid");
  auto request = shell("exit 0");
  request.pid_file = scratch.path() / "it.pid";
  const auto ended = run(std::move(request));
  BOOST_TEST(ended.status.value == 127);
  BOOST_TEST(content(target) == "precious");
}

BOOST_AUTO_TEST_SUITE_END()
