#include <capsa/capsa.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/own_threads.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
#include <memory>
#include <thread>

namespace capsa::bench {

namespace {

struct Options {
  unsigned vms = 10;
  unsigned seconds = 30;
  std::string guest;
};

double percent(std::chrono::nanoseconds used, std::chrono::nanoseconds of) {
  return 100 * std::chrono::duration<double>(used) / of;
}

std::chrono::nanoseconds guests_use(const std::vector<VmHandle>& vms) {
  std::chrono::nanoseconds used{0};
  for (const auto& vm : vms)
    for (const auto& vcpu : vm.vcpus().get()) {
      const auto stats = vcpu.stats().get();
      used += stats.user + stats.system;
    }
  return used;
}

void run(const Options& options) {
  const auto guest = guests(options.guest).back();
  std::vector<VmHandle> vms;
  for (unsigned i = 0; i < options.vms; ++i) {
    vms.push_back(
        Capsa::sandbox().memory_mb(128).guest(guest).run("sleep", {"infinity"}).build().get());
    vms.back().agent().get().ping().get();
  }
  const auto guests_before = guests_use(vms);
  const auto before = own_threads();
  const auto begun = std::chrono::steady_clock::now();
  // What is measured is that nothing happens meanwhile.
  std::this_thread::sleep_for(std::chrono::seconds(options.seconds));
  const auto after = own_threads();
  const auto taken = std::chrono::steady_clock::now() - begun;
  const auto guests_used = guests_use(vms) - guests_before;

  std::printf("idle: %u VMs (%s), %s; %s\n", options.vms, name_of(guest).c_str(),
              to_text(taken).c_str(), load_text().c_str());
  std::chrono::nanoseconds own{0};
  for (const auto& [name, time] : after) {
    const auto known = before.find(name);
    const auto used = time - (known == before.end() ? std::chrono::nanoseconds(0) : known->second);
    own += used;
    if (used.count() > 0)
      std::printf("  %-24s %.4f %% of a core\n", name.c_str(), percent(used, taken));
  }
  std::printf("  the library's %zu threads together: %.4f %% of a core\n", after.size(),
              percent(own, taken));
  std::printf("  beside them, the guests' vCPUs:     %.2f %% of a core\n",
              percent(guests_used, taken));
  for (auto& vm : vms)
    vm.kill().get();
}

}  // namespace

void add_idle(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("idle", "What the library's threads use while VMs idle");
  auto options = std::make_shared<Options>();
  command->add_option("--vms", options->vms, "How many VMs (default: 10)")
      ->check(CLI::Range(1, 200));
  command->add_option("--seconds", options->seconds, "How long (default: 30)")
      ->check(CLI::Range(1, 3600));
  add_guest_option(*command, options->guest, "Which guest (default: tuned where there is one)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
