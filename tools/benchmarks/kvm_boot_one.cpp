#include <capsa/capsa.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>

#include <cstdio>
#include <memory>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  GuestAssets guest;
  unsigned cpus = 1;
  unsigned memory_mb = 512;
  std::int64_t begun = 0;  ///< of the steady clock, which is one for all processes
};

/// What a small program that embeds the library does. Every line but the first is for the figures.
void run(const Options& options) {
  const auto entered = Clock::now();
  auto vm = plain_vm(options.guest)
                .backend(Backend::Kvm)
                .cpus(options.cpus)
                .memory_mb(options.memory_mb)
                .console_enabled()
                .cmdline_arg("capsa.ready", "1")
                .build()
                .get();
  const auto built = Clock::now();
  vm.start().get();
  const auto running = Clock::now();
  wait_for_init(vm);
  std::puts("init runs");
  std::fflush(stdout);
  const auto ready = Clock::now();

  const Clock::time_point begun{std::chrono::nanoseconds(options.begun)};
  const auto print = [](const char* what, auto value) {
    std::printf("%s %lld\n", what, static_cast<long long>(value));
  };
  print("load", (entered - begun).count());
  print("runtime", (built - entered).count());
  print("machine", (running - built).count());
  print("guest", (ready - running).count());
  for (const auto& vcpu : vm.vcpus().get()) {
    const auto exits = vcpu.stats().get().exits.value_or(VcpuExits{});
    print("port", exits.port);
    print("memory", exits.memory);
    print("halt", exits.halt);
    print("interrupted", exits.interrupted);
    print("other", exits.shutdown + exits.system_event + exits.other);
  }
  vm.kill().get();
}

}  // namespace

void add_kvm_boot_one(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("kvm-boot-one", "One boot, in a process of its own");
  command->group("");  // for kvm-boot alone
  auto options = std::make_shared<Options>();
  command->add_option("--kernel", options->guest.kernel)->required();
  command->add_option("--initrd", options->guest.initrd)->required();
  command->add_option("--line", options->guest.command_line)->required();
  command->add_flag("--acpi", options->guest.acpi);
  command->add_option("--cpus", options->cpus);
  command->add_option("--memory", options->memory_mb);
  command->add_option("--begun", options->begun);
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
