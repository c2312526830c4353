#include <capsa/capsa.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/host_state.hpp>
#include <tools/benchmarks/joins.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
#include <memory>
#include <string>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  unsigned rounds = 20;
  unsigned memory_mb = 512;
  std::string backend = "auto";
  std::string guest;
};

enum class Way : std::uint8_t { Kill, Agent, Button };

VmHandle boot(const Options& options, const GuestAssets& guest, unsigned cpus, Way way) {
  auto builder = plain_vm(guest)
                     .backend(backend_named(options.backend))
                     .cpus(cpus)
                     .memory_mb(options.memory_mb)
                     .console_enabled()
                     .cmdline_arg("capsa.ready", "1");
  if (way == Way::Agent) builder = std::move(builder).agent_enabled();
  auto vm = std::move(builder).build().get();
  vm.start().get();
  wait_for_init(vm);
  if (way == Way::Agent) vm.agent().get().ping().get();
  return vm;
}

/// Whether the VM ended as it should: by our hand, or cleanly by its own.
bool ended_well(const VmHandle& vm, Way way) {
  const auto code = vm.wait().get();
  return way == Way::Kill ? !code : code == 0;
}

void measure(const Options& options, const GuestAssets& guest, unsigned cpus, Way way,
             const char* what) {
  boot(options, guest, cpus, way).kill().get();
  const auto before = host_state();
  Samples samples;
  Samples joined;
  unsigned wrong = 0;
  for (unsigned round = 0; round < options.rounds; ++round) {
    auto vm = boot(options, guest, cpus, way);
    const bool ours = vm.vcpus().get().front().stats().get().exits.has_value();
    forget_joins();
    const auto begun = Clock::now();
    (way == Way::Kill ? vm.kill() : vm.stop()).get();
    samples.add(Clock::now() - begun);
    // Of a machine in this process its vCPUs' threads are joined first.
    if (ours && way == Way::Kill) joined.add(joins_since().at(cpus - 1) - begun);
    if (!ended_well(vm, way)) ++wrong;
  }
  const auto after = host_state();
  std::printf("  %-26s %u vCPUs  p50 %-9s  p99 %-9s", what, cpus, to_text(samples.median()).c_str(),
              to_text(samples.percentile(99)).c_str());
  if (joined.count() != 0)
    std::printf("  its threads joined after p50 %s", to_text(joined.median()).c_str());
  if (wrong != 0) std::printf("  %u ended otherwise", wrong);
  if (after.fds > before.fds || after.threads > before.threads || after.files > before.files)
    std::printf("  LEFT: %s; before: %s", to_text(after).c_str(), to_text(before).c_str());
  std::printf("\n");
}

void run(const Options& options) {
  std::printf("stop: until nothing of the VM is left; %u rounds, %u MiB, backend %s\n",
              options.rounds, options.memory_mb, options.backend.c_str());
  for (const auto& guest : guests(options.guest)) {
    std::printf("%s; %s\n", name_of(guest).c_str(), load_text().c_str());
    for (const unsigned cpus : {1U, 4U})
      measure(options, guest, cpus, Way::Kill, "kill()");
    measure(options, guest, 1, Way::Agent, "stop(), by the agent");
    if (guest.acpi)
      measure(options, guest, 1, Way::Button, "stop(), by the power button");
    else
      std::printf("  without ACPI there is no power button\n");
  }
}

}  // namespace

void add_stop(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("stop", "Until nothing of a VM is left that is ended");
  auto options = std::make_shared<Options>();
  command->add_option("--rounds", options->rounds, "How often (default: 20)")
      ->check(CLI::Range(1, 10000));
  command->add_option("--memory", options->memory_mb, "MiB of each VM (default: 512)")
      ->check(CLI::Range(64, 65536));
  add_backend_option(*command, options->backend);
  add_guest_option(*command, options->guest, "Only this one (default: each that is prepared)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
