#include <backends/qemu/probe.hpp>
#include <capsa/capsa.hpp>
#include <tools/benchmarks/bare_qemu.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
#include <memory>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  unsigned rounds = 15;
  std::string guest;
};

/// From the call that makes the VM to the agent's first answer; all that a user waits for.
std::chrono::nanoseconds time_capsa_boot(const BareMachine& like, const GuestAssets& guest) {
  const auto begun = Clock::now();
  auto vm = plain_vm(guest)
                .cpus(like.cpus)
                .memory_mb(like.memory_mb)
                .accelerator(like.kvm ? Accelerator::Kvm : Accelerator::Tcg)
                .agent_enabled()
                .build()
                .get();
  vm.start().get();
  vm.agent().get().ping().get();
  const auto taken = Clock::now() - begun;
  vm.kill().get();
  return taken;
}

void measure(const BareMachine& machine, const GuestAssets& guest, unsigned rounds) {
  // The first start of either reads files that later ones find in memory.
  time_bare_boot(machine, guest);
  time_capsa_boot(machine, guest);
  Samples bare;
  Samples ours;
  for (unsigned round = 0; round < rounds; ++round) {
    // Whoever goes second in a round has the warmer caches: they take turns.
    if (round % 2 == 0) bare.add(time_bare_boot(machine, guest));
    ours.add(time_capsa_boot(machine, guest));
    if (round % 2 != 0) bare.add(time_bare_boot(machine, guest));
  }
  std::printf("%s, %u rounds, interleaved; %s\n", name_of(guest).c_str(), rounds,
              load_text().c_str());
  print_beside("capsa", ours, "bare QEMU", bare);
}

void run(const Options& options) {
  const auto found = guests(options.guest);
  const auto qemu = qemu::find_qemu().value();
  const BareMachine machine{qemu.path, qemu.kvm};
  std::printf(
      "boot: spawn to the agent's first answer, against the same kernel, initrd and agent\n"
      "under bare `qemu-system-x86_64 -M microvm`, until it prints a line\n"
      "QEMU %s, %s, %u CPU, %u MiB\n",
      qemu::to_string(qemu.version).c_str(), qemu.kvm ? "KVM" : "TCG", machine.cpus,
      machine.memory_mb);
  for (const auto& guest : found)
    measure(machine, guest, options.rounds);
}

}  // namespace

void add_boot(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("boot", "From spawn to the agent's answer, and bare QEMU's");
  auto options = std::make_shared<Options>();
  command->add_option("--rounds", options->rounds, "How often (default: 15)")
      ->check(CLI::Range(1, 1000));
  add_guest_option(*command, options->guest, "Only this one (default: each that is prepared)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
