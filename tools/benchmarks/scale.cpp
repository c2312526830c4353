#include <capsa/capsa.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/host_state.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
#include <memory>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  unsigned vms = 50;
  unsigned memory_mb = 64;
  unsigned timeout = 900;
  std::string backend = "auto";
  std::string guest;
};

std::vector<VmHandle> start(const Options& options, const GuestAssets& guest, unsigned count) {
  std::vector<VmHandle> vms;
  std::vector<future<void>> started;
  for (unsigned i = 0; i < count; ++i) {
    vms.push_back(plain_vm(guest)
                      .backend(backend_named(options.backend))
                      .memory_mb(options.memory_mb)
                      .timeout(std::chrono::seconds(options.timeout))
                      .agent_enabled()
                      .build()
                      .get());
    started.push_back(vms.back().start());
  }
  for (auto& one : started)
    one.get();
  return vms;
}

void wait_for_all(const std::vector<VmHandle>& vms) {
  std::vector<future<AgentClient>> agents;
  for (const auto& vm : vms)
    agents.push_back(vm.agent());
  std::vector<future<void>> answers;
  for (auto& agent : agents)
    answers.push_back(agent.get().ping());
  for (auto& answer : answers)
    answer.get();
}

void end(std::vector<VmHandle> vms) {
  std::vector<future<void>> ended;
  for (const auto& vm : vms)
    ended.push_back(vm.kill());
  for (auto& one : ended)
    one.get();
}

void run(const Options& options) {
  const auto guest = guests(options.guest).back();
  // What the first VM of a process makes stays with the process.
  {
    auto first = start(options, guest, 1);
    wait_for_all(first);
    end(std::move(first));
  }
  const auto before = host_state();
  const auto begun = Clock::now();
  auto vms = start(options, guest, options.vms);
  const auto started = Clock::now();
  wait_for_all(vms);
  const auto answered = Clock::now();
  const auto full = host_state();
  end(std::move(vms));
  const auto ended = Clock::now();
  const auto after = host_state();

  std::printf("scale: %u VMs at once (%s), %u MiB each, backend %s; %s\n", options.vms,
              name_of(guest).c_str(), options.memory_mb, options.backend.c_str(),
              load_text().c_str());
  std::printf("  all machines run after      %s\n", to_text(started - begun).c_str());
  std::printf("  all agents answered after   %s\n", to_text(answered - begun).c_str());
  std::printf("  all killed, and gone, after %s more\n", to_text(ended - answered).c_str());
  std::printf("  before: %s\n", to_text(before).c_str());
  std::printf("  with %u VMs: %s\n", options.vms, to_text(full).c_str());
  std::printf("  after:  %s\n", to_text(after).c_str());
  if (after.fds > before.fds || after.threads > before.threads ||
      after.children > before.children || after.files > before.files)
    throw error(ErrorCode::Internal, "something of the VMs is left");
}

}  // namespace

void add_scale(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("scale", "Many VMs at once, and nothing of them left");
  auto options = std::make_shared<Options>();
  command->add_option("--vms", options->vms, "How many (default: 50)")->check(CLI::Range(1, 1000));
  command->add_option("--memory", options->memory_mb, "MiB of each (default: 64)")
      ->check(CLI::Range(64, 65536));
  command->add_option("--timeout", options->timeout, "Seconds for all to answer (default: 900)")
      ->check(CLI::Range(1, 86400));
  add_backend_option(*command, options->backend);
  add_guest_option(*command, options->guest, "Which guest (default: tuned where there is one)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
