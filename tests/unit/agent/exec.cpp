#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <set>

#include "served_agent.hpp"

using namespace capsa;
using namespace capsa::agent;
using namespace capsa::agent::test;
using namespace std::chrono_literals;

namespace {

UniqueFd pidfd(std::int64_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
}

bool ends(const UniqueFd& process) {
  pollfd entry{process.get(), POLLIN, 0};
  return ::poll(&entry, 1, 60'000) == 1;
}

char state_of(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string number;
  std::string name;
  char state = '?';
  file >> number >> name >> state;
  return state;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(agent_exec)

BOOST_AUTO_TEST_CASE(the_agent_says_hello) {
  ServedAgent agent;
  agent.settle();
  BOOST_TEST(agent.version()->major == kProtocolMajor);
  BOOST_TEST(!agent.version()->agent_version.empty());
}

BOOST_AUTO_TEST_CASE(standard_output_and_standard_error_stay_apart) {
  ServedAgent agent;
  const auto ran = run_shell(agent, "echo out; echo err >&2");
  BOOST_TEST(ran.out == "out\n");
  BOOST_TEST(ran.err == "err\n");
  BOOST_TEST(ran.status().success());
}

BOOST_AUTO_TEST_CASE(standard_error_can_be_merged_in_order) {
  ServedAgent agent;
  auto spec = ExecSpec::shell_line("echo 1; echo 2 >&2; echo 3");
  spec.merge_stderr = true;
  const auto ran = run(agent, spec);
  BOOST_TEST(ran.out == "1\n2\n3\n");
  BOOST_TEST(ran.err.empty());
}

BOOST_AUTO_TEST_CASE(an_exit_code_arrives) {
  ServedAgent agent;
  BOOST_TEST((run_shell(agent, "exit 42").status() == ExitStatus{42, 0, false}));
}

BOOST_AUTO_TEST_CASE(a_signal_arrives_as_a_signal) {
  ServedAgent agent;
  BOOST_TEST((run_shell(agent, "kill -9 $$").status() == ExitStatus{0, 9, false}));
}

BOOST_AUTO_TEST_CASE(arguments_are_passed_as_they_are) {
  ServedAgent agent;
  const auto ran = run(agent, ExecSpec::command({"printf", "%s|", "a b", "$HOME", "", "\xff"}));
  BOOST_TEST(ran.out == "a b|$HOME||\xff|");
}

BOOST_AUTO_TEST_CASE(a_program_that_is_not_there_is_an_error_with_its_errno) {
  ServedAgent agent;
  const auto missing = run(agent, ExecSpec::command({"/no/such/program"}));
  BOOST_TEST((missing.done->error().code() == ErrorCode::GuestError));
  BOOST_TEST(missing.done->error().guest_errno() == ENOENT);
  BOOST_TEST(missing.done->error().message().find("/no/such/program") != std::string::npos);
  const auto denied = run(agent, ExecSpec::command({"/etc/passwd"}));
  BOOST_TEST(denied.done->error().guest_errno() == EACCES);
}

BOOST_AUTO_TEST_CASE(the_working_directory_is_set_or_refused) {
  ServedAgent agent;
  auto spec = ExecSpec::command({"pwd"});
  spec.working_dir = "/usr";
  BOOST_TEST(run(agent, spec).out == "/usr\n");
  spec.working_dir = "/no/such/dir";
  // Not ENOENT: that would be the program's.
  const auto refused = run(agent, spec).done->error();
  BOOST_TEST((refused.code() == ErrorCode::InvalidConfig));
  BOOST_TEST(refused.guest_errno() == 0);
}

BOOST_AUTO_TEST_CASE(the_environment_has_defaults_that_can_be_changed) {
  ServedAgent agent;
  auto spec = ExecSpec::command({"env"});
  spec.env = {{"HOME", "/elsewhere"}, {"MORE", "a=b"}};
  const auto out = run(agent, spec).out;
  BOOST_TEST(out.find("PATH=/usr/local/sbin:") != std::string::npos);
  BOOST_TEST(out.find("HOME=/elsewhere\n") != std::string::npos);
  BOOST_TEST(out.find("MORE=a=b\n") != std::string::npos);
  BOOST_TEST(out.find("TERM=") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_cleared_environment_holds_only_what_was_given) {
  ServedAgent agent;
  auto spec = ExecSpec::command({"/usr/bin/env"});
  spec.clear_env = true;
  spec.env = {{"ONLY", "this"}};
  BOOST_TEST(run(agent, spec).out == "ONLY=this\n");
}

BOOST_AUTO_TEST_CASE(a_user_is_taken_on_with_its_groups) {
  if (::geteuid() != 0) {
    BOOST_TEST_MESSAGE("skipped: only root can take on another user");
    return;
  }
  ServedAgent agent;
  auto spec = ExecSpec::shell_line("id -u; id -g; id -G; echo $USER");
  spec.user = "nobody";
  BOOST_TEST(run(agent, spec).out == "65534\n65534\n65534\nnobody\n");
  spec = ExecSpec::shell_line("id -u; id -g; echo x > /dev/stdout");
  spec.user = "1234:5678";
  BOOST_TEST(run(agent, spec).out == "1234\n5678\nx\n");
  spec.user = "no-such-user";
  BOOST_TEST(run(agent, spec).done->error().guest_errno() == EINVAL);
}

BOOST_AUTO_TEST_CASE(a_program_without_input_reads_end_of_file) {
  ServedAgent agent;
  BOOST_TEST(run(agent, ExecSpec::command({"cat"})).status().success());
}

BOOST_AUTO_TEST_CASE(signals_and_descriptors_of_the_agent_do_not_leak_into_programs) {
  ServedAgent agent;
  const auto mask = [&](const std::string& name) {
    const auto line = run_shell(agent, "grep " + name + " /proc/self/status").out;
    return std::stoull(line.substr(line.find('\t') + 1), nullptr, 16);
  };
  BOOST_TEST(mask("SigBlk") == 0u);
  // Above the classic signals are two of the C library, which posix_spawn ignores in the agent.
  BOOST_TEST((mask("SigIgn") & 0x7fffffff) == 0u);
  BOOST_TEST(run_shell(agent, "ls /proc/self/fd | wc -l").out == "4\n");  // 0 1 2 and ls's own
}

BOOST_AUTO_TEST_CASE(a_time_out_ends_the_program_and_its_session) {
  ServedAgent agent;
  auto spec = ExecSpec::shell_line("sleep 1000 & echo $!; wait");
  spec.timeout = 100ms;
  Ran ran;
  start(agent, spec, ran);
  agent.run_until([&] { return !ran.out.empty(); });
  const auto background = pidfd(std::stoll(ran.out));
  agent.run_until([&] { return ran.done.has_value(); });
  BOOST_TEST((ran.status() == ExitStatus{0, SIGTERM, true}));
  BOOST_TEST(ends(background));
}

BOOST_AUTO_TEST_CASE(a_program_that_ignores_sigterm_is_killed_after_the_time_out) {
  ServedAgent agent;
  auto spec = ExecSpec::shell_line("trap '' TERM; echo ready; while :; do sleep 1; done");
  spec.timeout = 100ms;
  BOOST_TEST((run(agent, spec).status() == ExitStatus{0, SIGKILL, true}));
}

BOOST_AUTO_TEST_CASE(a_signal_of_the_host_reaches_the_program) {
  ServedAgent agent;
  Ran ran;
  start(agent, ExecSpec::shell_line("trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done"),
        ran);
  agent.run_until([&] { return !ran.out.empty(); });
  agent.session().signal(ran.id, SIGUSR1);
  agent.run_until([&] { return ran.done.has_value(); });
  BOOST_TEST(ran.status().code == 7);
}

BOOST_AUTO_TEST_CASE(a_background_process_that_keeps_the_output_does_not_keep_the_command) {
  ServedAgent agent;
  const auto before = std::chrono::steady_clock::now();
  const auto ran = run_shell(agent, "sleep 1000 & echo $!");
  BOOST_TEST((std::chrono::steady_clock::now() - before < 30s));
  BOOST_TEST(ran.status().success());
  ::kill(std::stoi(ran.out), SIGKILL);
}

BOOST_AUTO_TEST_CASE(output_that_waits_for_credit_is_not_lost_when_the_program_ends) {
  ServedAgent agent;
  Ran ran;
  // Fits the pipe and the first credit only together: the program ends, the rest waits.
  start(agent, ExecSpec::command({"head", "-c", "300000", "/dev/zero"}), ran, false);
  agent.run_until([&] { return ran.out.size() == kOutputWindow; });
  while (state_of(ran.pid) != 'Z' && state_of(ran.pid) != '?')
    agent.settle();
  BOOST_TEST(!ran.done);
  agent.session().grant(ran.id, Stream::Output, 100'000);
  agent.run_until([&] { return ran.done.has_value(); });
  BOOST_TEST(ran.out.size() == 300'000u);
}

BOOST_AUTO_TEST_CASE(without_credit_the_program_blocks_and_the_agent_stays_small) {
  ServedAgent agent;
  Ran ran;
  start(agent, ExecSpec::command({"yes"}), ran, false);
  agent.run_until([&] { return ran.out.size() == kOutputWindow; });
  while (state_of(ran.pid) != 'S')
    agent.settle();
  for (int i = 0; i < 100; ++i)
    agent.settle();
  BOOST_TEST(ran.out.size() == kOutputWindow);
  BOOST_TEST(state_of(ran.pid) == 'S');
#if !defined(__SANITIZE_ADDRESS__)
  BOOST_TEST(agent.resident_bytes() < std::size_t{16} << 20);
#endif
  agent.session().cancel(ran.id);
}

BOOST_AUTO_TEST_CASE(a_hundred_mebibytes_go_through_cat_unchanged) {
  ServedAgent agent;
  const auto input = pattern(std::size_t{100} << 20);
  auto spec = ExecSpec::command({"cat"});
  spec.stdin_open = true;
  std::uint64_t out_hash = hash({});
  std::size_t out_size = 0;
  std::size_t sent = 0;
  RequestId id = 0;
  std::optional<result<ExitStatus>> done;
  ExecEvents events;
  events.stdout_data = [&](std::span<const std::byte> bytes) {
    out_hash = hash(bytes, out_hash);
    out_size += bytes.size();
    agent.session().grant(id, Stream::Output, bytes.size());
  };
  events.stdin_room = [&](std::size_t) {
    sent += agent.session().stdin_write(id, std::span(input).subspan(sent));
    if (sent == input.size()) agent.session().stdin_close(id);
  };
  events.done = [&](result<ExitStatus> status) { done = status; };
  id = agent.session().exec(spec, std::move(events));
  agent.run_until([&] { return done.has_value(); });
  BOOST_TEST(done->value().success());
  BOOST_TEST(out_size == input.size());
  BOOST_TEST(out_hash == hash(input));
}

BOOST_AUTO_TEST_CASE(a_program_that_stops_reading_is_reported) {
  ServedAgent agent;
  auto spec =
      ExecSpec::shell_line("exec <&-; echo closed; while [ ! -e /proc/nothing ]; do sleep 1; done");
  spec.stdin_open = true;
  Ran ran;
  start(agent, spec, ran);
  agent.run_until([&] { return !ran.out.empty() && ran.room > 0; });
  agent.session().stdin_write(ran.id, as_bytes("nobody reads this"));
  agent.run_until([&] { return ran.input_closed; });
  BOOST_TEST(agent.session().stdin_write(ran.id, as_bytes("more")) == 0u);
  agent.session().cancel(ran.id);
}

BOOST_AUTO_TEST_CASE(two_hundred_programs_run_at_once) {
  ServedAgent agent;
  std::vector<Ran> all(200);
  for (std::size_t i = 0; i < all.size(); ++i)
    start(agent, ExecSpec::shell_line("echo " + std::to_string(i) + "; exit " + std::to_string(i)),
          all[i]);
  agent.run_until([&] {
    return std::all_of(all.begin(), all.end(), [](const Ran& ran) { return ran.done.has_value(); });
  });
  for (std::size_t i = 0; i < all.size(); ++i) {
    BOOST_TEST(all[i].out == std::to_string(i) + "\n");
    BOOST_TEST(all[i].status().code == static_cast<int>(i));
  }
}

BOOST_AUTO_TEST_CASE(a_cancelled_program_is_killed_with_its_children) {
  ServedAgent agent;
  Ran ran;
  start(agent, ExecSpec::shell_line("sleep 1000 & echo $!; wait"), ran);
  agent.run_until([&] { return !ran.out.empty(); });
  const auto program = pidfd(ran.pid);
  const auto child = pidfd(std::stoll(ran.out));
  agent.session().cancel(ran.id);
  BOOST_TEST((ran.done->error().code() == ErrorCode::Canceled));
  agent.settle();
  BOOST_TEST(ends(program));
  BOOST_TEST(ends(child));
}

BOOST_AUTO_TEST_CASE(a_program_cancelled_before_it_started_does_not_run_on) {
  ServedAgent agent;
  ScratchDir dir;
  for (int i = 0; i < 20; ++i) {
    Ran ran;
    start(agent, ExecSpec::shell_line("sleep 1000"), ran);
    agent.session().cancel(ran.id);
  }
  agent.settle();
  agent.drop();
  BOOST_TEST(WIFEXITED(agent.wait_for_exit()));
}

BOOST_AUTO_TEST_CASE(a_host_that_goes_away_takes_its_programs_with_it) {
  ServedAgent agent;
  Ran ran;
  start(agent, ExecSpec::shell_line("sleep 1000 & echo $!; wait"), ran);
  agent.run_until([&] { return !ran.out.empty(); });
  const auto program = pidfd(ran.pid);
  const auto child = pidfd(std::stoll(ran.out));
  agent.drop();
  BOOST_TEST(ends(program));
  BOOST_TEST(ends(child));
  BOOST_TEST(agent.wait_for_exit() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
