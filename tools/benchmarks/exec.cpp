#include <capsa/capsa.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kLoop = "/tmp/fork_exec";
constexpr const char* kProgram = "/bin/true";
// Short turns, so that a busy moment of the host meets all three.
constexpr unsigned kPerTurn = 25;

struct Options {
  unsigned count = 500;
  std::string guest;
};

std::string loop_program() {
  std::ifstream file(CAPSA_FORK_EXEC, std::ios::binary);
  if (!file)
    throw error(ErrorCode::NotFound, std::string("there is no ") + CAPSA_FORK_EXEC,
                "run tools/bench, which builds it");
  return {std::istreambuf_iterator<char>(file), {}};
}

void time_in_guest(const AgentClient& agent, Samples& into) {
  const auto done =
      agent.exec(ExecSpec::command({kLoop, std::to_string(kPerTurn), kProgram})).get();
  if (!done.status.success())
    throw error(ErrorCode::Internal, "the loop in the guest failed: " + done.stderr_data);
  std::istringstream lines(done.stdout_data);
  for (std::int64_t one = 0; lines >> one;)
    into.add(std::chrono::nanoseconds(one));
}

template <class Call>
void time_calls(Call call, Samples& into) {
  for (unsigned i = 0; i < kPerTurn; ++i) {
    const auto begun = Clock::now();
    call();
    into.add(Clock::now() - begun);
  }
}

void print(const char* what, const Samples& samples) {
  std::printf("  %-32s p50 %-9s  p99 %-9s\n", what, to_text(samples.median()).c_str(),
              to_text(samples.percentile(99)).c_str());
}

void measure(const GuestAssets& guest, unsigned count) {
  auto vm = Capsa::sandbox().guest(guest).run("sleep", {"infinity"}).build().get();
  const auto agent = vm.agent().get();
  agent.write_file(kLoop, loop_program(), 0755).get();
  const auto exec_true = [&] {
    if (!agent.exec(ExecSpec::command({kProgram})).get().status.success())
      throw error(ErrorCode::Internal, "true failed");
  };
  Samples exec;
  Samples ping;
  Samples loop;
  Samples warm_up;
  time_calls(exec_true, warm_up);
  time_in_guest(agent, warm_up);
  while (exec.count() < count) {
    time_calls(exec_true, exec);
    time_in_guest(agent, loop);
    time_calls([&] { agent.ping().get(); }, ping);
  }
  std::printf("%s, %zu each, in turns of %u; %s\n", name_of(guest).c_str(), exec.count(), kPerTurn,
              load_text().c_str());
  print("agent.exec({\"/bin/true\"})", exec);
  print("fork+exec+wait inside the guest", loop);
  print("agent.ping()", ping);
  std::printf("  exec / loop: p50 %.2f, p99 %.2f\n",
              std::chrono::duration<double>(exec.median()) / loop.median(),
              std::chrono::duration<double>(exec.percentile(99)) / loop.percentile(99));
  vm.kill().get();
}

void run(const Options& options) {
  std::printf("exec: round trip of `true` in a warm guest\n");
  for (const auto& guest : guests(options.guest))
    measure(guest, options.count);
}

}  // namespace

void add_exec(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("exec", "Round trip of `true`, and of a fork+exec loop in the guest");
  auto options = std::make_shared<Options>();
  command->add_option("--count", options->count, "How many of each (default: 500)")
      ->check(CLI::Range(1, 1000000));
  add_guest_option(*command, options->guest, "Only this one (default: each that is prepared)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
