#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/net_iperf.hpp>
#include <tools/benchmarks/net_path.hpp>
#include <tools/benchmarks/net_switch.hpp>
#include <tools/benchmarks/net_wires.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
#include <memory>
#include <vector>

namespace capsa::bench {

namespace {

struct Options {
  unsigned rounds = 5;
  unsigned seconds = 2;
  std::string only;
  bool alone = false;
};

/// What one gigabit takes.
struct Cost {
  Samples cpu;
  Samples time;
};

double gigabits_per_second(const Samples& of_one) {
  return 1 / std::chrono::duration<double>(of_one.median()).count();
}

void turn(const Iperf& iperf, const NetPath& path, bool down, std::chrono::seconds time,
          Cost* cost) {
  const auto before = path.cpu();
  const auto moved = iperf.run(path.space(), NetPath::kHost, down, time);
  const auto used = path.cpu() - before;
  if (moved.gigabits <= 0)
    throw error(ErrorCode::BackendFailed, "nothing came through " + path.name());
  const auto of_one = [&](std::chrono::nanoseconds all) {
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(static_cast<double>(all.count()) / moved.gigabits));
  };
  if (cost == nullptr) return;
  cost->cpu.add(of_one(used));
  cost->time.add(of_one(moved.time));
}

void measure_nat(const Options& options) {
  std::printf(
      "net: one TCP connection of iperf3 from a network namespace to the host's loopback, by a "
      "TAP\n"
      "of MTU 1500 and whoever is between; %u s a turn, %u rounds, turn about. Wanted, per\n"
      "CPU-second: 5x QEMU up, 3x down; %s\n",
      options.seconds, options.rounds, load_text().c_str());
  const Iperf iperf;
  auto paths = options.alone ? std::vector<std::unique_ptr<NetPath>>() : peer_paths();
  paths.insert(paths.begin(), own_path());
  const std::chrono::seconds time(options.seconds);
  for (const bool down : {false, true}) {
    std::vector<Cost> costs(paths.size());
    for (const auto& path : paths)
      turn(iperf, *path, down, std::chrono::seconds(1), nullptr);
    for (unsigned round = 0; round < options.rounds; ++round)
      for (std::size_t i = 0; i < paths.size(); ++i) {
        const auto at = (round + i) % paths.size();
        turn(iperf, *paths[at], down, time, &costs[at]);
      }
    for (std::size_t i = 0; i < paths.size(); ++i) {
      std::printf("  %-4s  %-11s %6.2f Gb per CPU-second  %6.2f Gb/s", down ? "down" : "up",
                  paths[i]->name().c_str(), gigabits_per_second(costs[i].cpu),
                  gigabits_per_second(costs[i].time));
      if (i > 0)
        std::printf("   capsa %.1fx per CPU-second (median of the rounds' ratios %.1fx)",
                    std::chrono::duration<double>(costs[i].cpu.median()) / costs[0].cpu.median(),
                    median_ratio(costs[i].cpu, costs[0].cpu));
      std::printf("\n");
    }
  }
}

void run(const Options& options) {
  const auto wanted = [&](const char* part) {
    return options.only.empty() || options.only == part;
  };
  if (wanted("nat")) measure_nat(options);
  if (wanted("switch")) measure_switch(options.rounds);
  if (wanted("wires")) measure_wires(options.rounds);
  std::printf("afterwards: %s\n", load_text().c_str());
}

}  // namespace

void add_net(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("net", "The NAT beside QEMU, slirp4netns and passt; the switch");
  auto options = std::make_shared<Options>();
  command->add_option("--rounds", options->rounds, "How often (default: 5)")
      ->check(CLI::Range(1, 1000));
  command->add_option("--seconds", options->seconds, "Of one turn of iperf3 (default: 2)")
      ->check(CLI::Range(1, 60));
  command->add_option("--only", options->only, "One part: nat (needs root), switch or wires")
      ->check(CLI::IsMember({"nat", "switch", "wires"}));
  command->add_flag("--alone", options->alone, "Without the peers");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
