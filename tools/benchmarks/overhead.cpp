#include <capsa/capsa.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/host_state.hpp>
#include <tools/benchmarks/samples.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>

namespace capsa::bench {

namespace {

struct Options {
  std::vector<unsigned> vms = {1, 10, 50};
  unsigned memory_mb = 64;
  std::string guest;
};

double mib(std::uint64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

void add_vms(std::vector<VmHandle>& vms, unsigned until, const GuestAssets& guest,
             unsigned memory_mb) {
  while (vms.size() < until) {
    auto vm = plain_vm(guest)
                  .backend(Backend::Kvm)
                  .memory_mb(memory_mb)
                  .console_enabled()
                  .cmdline_arg("capsa.ready", "1")
                  .build()
                  .get();
    vm.start().get();
    wait_for_init(vm);
    vms.push_back(std::move(vm));
  }
  // What a boot leaves busy comes to rest.
  std::this_thread::sleep_for(std::chrono::seconds(2));
}

void run(const Options& options) {
  const auto guest = guests(options.guest).back();
  std::printf("overhead: idle VMs on KVM (%s), %u MiB each; %s\n", name_of(guest).c_str(),
              options.memory_mb, load_text().c_str());
  std::vector<VmHandle> vms;
  HostState first;
  auto counts = options.vms;
  std::sort(counts.begin(), counts.end());
  for (const auto count : counts) {
    add_vms(vms, count, guest, options.memory_mb);
    const auto now = host_state();
    std::printf(
        "  %3u VMs: %.1f MiB resident outside of guest memory (%.1f private), guests have %.1f\n"
        "           %zu threads, %zu fds\n",
        count, mib(now.resident), mib(now.own), mib(now.guest_memory), now.threads, now.fds);
    if (count != counts.front()) {
      const double more = count - counts.front();
      std::printf("           each after the first %u: %.2f MiB, %.1f threads, %.1f fds\n",
                  counts.front(), mib(now.resident - first.resident) / more,
                  static_cast<double>(now.threads - first.threads) / more,
                  static_cast<double>(now.fds - first.fds) / more);
    } else {
      first = now;
    }
  }
  for (auto& vm : vms)
    vm.kill().get();
}

}  // namespace

void add_overhead(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("overhead", "What idle VMs on KVM take of this process's memory");
  auto options = std::make_shared<Options>();
  command->add_option("--vms", options->vms, "How many, one after another (default: 1 10 50)")
      ->check(CLI::Range(1, 1000));
  command->add_option("--memory", options->memory_mb, "MiB of each (default: 64)")
      ->check(CLI::Range(32, 65536));
  add_guest_option(*command, options->guest, "Which guest (default: tuned where there is one)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
