#include <capsa/capsa.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>

// One boot, in a process of its own: what a small program that embeds the library does. Every line
// of run() but the first is for the figures, which kvm-boot reads.
//
//   bench_kvm_boot_one KERNEL INITRD acpi|no-acpi CPUS MIB BEGUN LINE
//
// BEGUN is when this process was asked for, in nanoseconds of the steady clock, which is one for
// all processes.
namespace {

using Clock = std::chrono::steady_clock;
using namespace capsa;

struct Options {
  const char* kernel;
  const char* initrd;
  bool acpi;
  unsigned cpus;
  unsigned memory_mb;
  Clock::time_point begun;
  const char* command_line;
};

VmHandle make(const Options& options) {
  LinuxDirectBootConfig boot(options.kernel, options.initrd);
  boot.acpi = options.acpi;
  auto builder = Capsa::runtime().vm(boot);
  std::istringstream words(options.command_line);
  for (std::string word; words >> word;)
    builder = std::move(builder).cmdline_flag(word);
  return std::move(builder)
      .backend(Backend::Kvm)
      .cpus(options.cpus)
      .memory_mb(options.memory_mb)
      .console_enabled()
      .cmdline_arg("capsa.ready", "1")
      .build()
      .get();
}

void run(const Options& options) {
  const auto entered = Clock::now();
  auto vm = make(options);
  const auto built = Clock::now();
  vm.start().get();
  const auto running = Clock::now();
  vm.console().get().wait_for_timeout("capsa-agent ready", std::chrono::minutes(2)).get();
  std::puts("init runs");
  std::fflush(stdout);
  const auto ready = Clock::now();

  const auto print = [](const char* what, auto value) {
    std::printf("%s %lld\n", what, static_cast<long long>(value));
  };
  print("load", (entered - options.begun).count());
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

int main(int argc, char** argv) {
  if (argc != 8) {
    std::fputs("usage: bench_kvm_boot_one KERNEL INITRD acpi|no-acpi CPUS MIB BEGUN LINE\n",
               stderr);
    return 2;
  }
  try {
    run({argv[1], argv[2], std::string_view(argv[3]) == "acpi",
         static_cast<unsigned>(std::atoi(argv[4])), static_cast<unsigned>(std::atoi(argv[5])),
         Clock::time_point{std::chrono::nanoseconds(std::atoll(argv[6]))}, argv[7]});
    return 0;
  } catch (const error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
