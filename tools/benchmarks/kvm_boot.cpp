#include <unistd.h>

#include <backends/qemu/probe.hpp>
#include <tools/benchmarks/bare_qemu.hpp>
#include <tools/benchmarks/child.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  unsigned rounds = 11;
  unsigned cpus = 1;
  unsigned memory_mb = 512;
  std::string guest;
};

/// What the processes of bench_kvm_boot_one tell of themselves, by name.
using Details = std::map<std::string, Samples>;

/// A process of its own, as QEMU is one: what it takes to load us counts.
std::chrono::nanoseconds time_own_boot(const BareMachine& like, const GuestAssets& guest,
                                       Details* details) {
  const std::vector<std::string> words = {CAPSA_KVM_BOOT_ONE,
                                          guest.kernel,
                                          guest.initrd,
                                          guest.acpi ? "acpi" : "no-acpi",
                                          std::to_string(like.cpus),
                                          std::to_string(like.memory_mb),
                                          std::to_string(Clock::now().time_since_epoch().count()),
                                          guest.command_line};
  const auto begun = Clock::now();
  Child child(words);
  child.read_until("init runs");
  const auto taken = Clock::now() - begun;
  std::istringstream lines(child.read_to_end());
  std::string name;
  for (long long value = 0; details != nullptr && lines >> name >> value;)
    (*details)[name].add(std::chrono::nanoseconds(value));
  return taken;
}

void print(const Details& details) {
  const auto median = [&](const char* name) {
    const auto known = details.find(name);
    return known == details.end() ? std::chrono::nanoseconds(0) : known->second.median();
  };
  std::printf(
      "  capsa's time: loading the process %s, runtime and checks %s, machine %s, guest %s\n",
      to_text(median("load")).c_str(), to_text(median("runtime")).c_str(),
      to_text(median("machine")).c_str(), to_text(median("guest")).c_str());
  std::printf("  exits of a vCPU until then:");
  for (const auto* name : {"port", "memory", "halt", "interrupted", "other"})
    std::printf(" %s %lld", name, static_cast<long long>(median(name).count()));
  std::printf("\n");
}

/// The kernel goes on freeing a machine after its process is gone: not at the cost of the next. And
/// what a shared file system takes to find the program, the lab's for one, is nobody's boot.
void settle(const char* program) {
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  static_cast<void>(::access(program, X_OK));
}

void measure(const BareMachine& machine, const GuestAssets& guest, unsigned rounds) {
  time_bare_boot(machine, guest);
  time_own_boot(machine, guest, nullptr);
  Samples bare;
  Samples ours;
  Details details;
  for (unsigned round = 0; round < rounds; ++round) {
    // Whoever goes second in a round has the warmer caches: they take turns.
    for (const bool own : {round % 2 != 0, round % 2 == 0}) {
      settle(own ? CAPSA_KVM_BOOT_ONE : machine.qemu.c_str());
      if (own)
        ours.add(time_own_boot(machine, guest, &details));
      else
        bare.add(time_bare_boot(machine, guest));
    }
  }
  std::printf("%s, %u rounds, interleaved; %s\n", name_of(guest).c_str(), rounds,
              load_text().c_str());
  print_beside("capsa", ours, "bare QEMU", bare);
  print(details);
}

void run(const Options& options) {
  const auto found = guests(options.guest);
  const auto qemu = qemu::find_qemu().value();
  if (!qemu.kvm)
    throw error(ErrorCode::BackendUnavailable, "KVM does not open here", "see: capsa doctor");
  const BareMachine machine{qemu.path, true, options.cpus, options.memory_mb};
  std::printf(
      "kvm-boot: start of the process to the first line of init, against the same kernel and\n"
      "initrd under bare `qemu-system-x86_64 -M microvm -accel kvm -cpu host`\n"
      "QEMU %s, %u CPU, %u MiB\n",
      qemu::to_string(qemu.version).c_str(), machine.cpus, machine.memory_mb);
  for (const auto& guest : found)
    measure(machine, guest, options.rounds);
}

}  // namespace

void add_kvm_boot(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("kvm-boot", "From the start of a process to init, and bare QEMU's on KVM");
  auto options = std::make_shared<Options>();
  command->add_option("--rounds", options->rounds, "How often (default: 11)")
      ->check(CLI::Range(1, 1000));
  command->add_option("--cpus", options->cpus, "vCPUs (default: 1)")->check(CLI::Range(1, 255));
  command->add_option("--memory", options->memory_mb, "MiB (default: 512)")
      ->check(CLI::Range(64, 65536));
  add_guest_option(*command, options->guest, "Only this one (default: each that is prepared)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
