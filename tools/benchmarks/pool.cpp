#include <capsa/capsa.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/host_state.hpp>
#include <tools/benchmarks/samples.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  unsigned vms = 8;
  unsigned rounds = 200;
  unsigned threads = 4;
  unsigned memory_mb = 128;
  std::string backend = "auto";
  std::string guest;
};

/// What the threads have found out together.
struct Tally {
  std::mutex mutex;  // guards what follows
  Samples reserve;
  Samples exec;
  std::vector<std::string> wrong;
};

Pool build(const Options& options, const GuestAssets& guest, unsigned vms) {
  SandboxConfig sandbox;
  sandbox.assets = guest;
  return Capsa::pool(sandbox)
      .backend(backend_named(options.backend))
      .memory_mb(options.memory_mb)
      .build(vms)
      .get();
}

/// Leaves the number of the round in files of the guest, and wants none of another round there.
void one_round(const Pool& pool, unsigned round, Tally& tally) {
  const auto begun = Clock::now();
  auto vm = pool.reserve().get();
  const auto reserved = Clock::now();
  const auto agent = vm->agent().get();
  const auto number = std::to_string(round);
  const auto found = agent
                         .exec("cat /tmp/round-* /dev/shm/round-* 2>/dev/null; echo " + number +
                               " > /tmp/round-" + number + "; cat /tmp/round-*")
                         .get();
  const auto done = Clock::now();
  const std::lock_guard lock(tally.mutex);
  tally.reserve.add(reserved - begun);
  tally.exec.add(done - reserved);
  if (found.stdout_data != number + "\n")
    tally.wrong.push_back("round " + number + " in " + vm->name() + " found: " + found.stdout_data);
}

void run_threads(const Options& options, const Pool& pool, Tally& tally) {
  std::atomic<unsigned> next{1};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options.threads; ++i)
    threads.emplace_back([&] {
      for (unsigned round = next++; round <= options.rounds; round = next++) {
        try {
          one_round(pool, round, tally);
        } catch (const error& e) {
          const std::lock_guard lock(tally.mutex);
          tally.wrong.push_back("round " + std::to_string(round) + ": " + e.what());
        }
      }
    });
  for (auto& thread : threads)
    thread.join();
}

void print(const char* what, const Samples& samples) {
  std::printf("  %-28s p50 %-9s  p99 %s\n", what, to_text(samples.median()).c_str(),
              to_text(samples.percentile(99)).c_str());
}

/// Until nothing is left that ends behind the pool: it tells of its own VMs, not of those reserved.
void wait_for_the_end() {
  while (Capsa::runtime().live_vms() != 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

void run(const Options& options) {
  const auto guest = guests(options.guest).back();
  // What the first VM of a process makes stays with the process.
  build(options, guest, 1).shutdown().get();
  wait_for_the_end();
  const auto before = host_state();
  Tally tally;
  const auto begun = Clock::now();
  Clock::time_point built;
  Clock::time_point ran;
  {
    const auto pool = build(options, guest, options.vms);
    built = Clock::now();
    run_threads(options, pool, tally);
    ran = Clock::now();
    pool.shutdown().get();
  }
  wait_for_the_end();
  const auto ended = Clock::now();
  const auto after = host_state();

  const auto seconds = std::chrono::duration<double>(ran - built).count();
  std::printf("pool: %u VMs (%s), %u MiB each, backend %s; %u rounds by %u threads; %s\n",
              options.vms, name_of(guest).c_str(), options.memory_mb, options.backend.c_str(),
              options.rounds, options.threads, load_text().c_str());
  std::printf("  all VMs available after      %s\n", to_text(built - begun).c_str());
  std::printf("  %-28s %.2f (%u in %s)\n", "rounds per second", options.rounds / seconds,
              options.rounds, to_text(ran - built).c_str());
  print("reserve", tally.reserve);
  print("first command", tally.exec);
  std::printf("  shut down, and gone, after   %s\n", to_text(ended - ran).c_str());
  std::printf("  before: %s\n", to_text(before).c_str());
  std::printf("  after:  %s\n", to_text(after).c_str());
  for (const auto& line : tally.wrong)
    std::printf("  WRONG: %s\n", line.c_str());
  if (!tally.wrong.empty())
    throw error(ErrorCode::Internal, std::to_string(tally.wrong.size()) + " rounds went wrong");
  if (after.fds > before.fds || after.threads > before.threads ||
      after.children > before.children || after.files > before.files)
    throw error(ErrorCode::Internal, "something of the pool is left");
}

}  // namespace

void add_pool(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("pool", "Rounds of reserve, one command and drop, by several threads");
  auto options = std::make_shared<Options>();
  command->add_option("--vms", options->vms, "How many VMs it has (default: 8)")
      ->check(CLI::Range(1, 1000));
  command->add_option("--rounds", options->rounds, "How many, of all threads (default: 200)")
      ->check(CLI::Range(1, 1000000));
  command->add_option("--threads", options->threads, "How many (default: 4)")
      ->check(CLI::Range(1, 1000));
  command->add_option("--memory", options->memory_mb, "MiB of each VM (default: 128)")
      ->check(CLI::Range(64, 65536));
  add_backend_option(*command, options->backend);
  add_guest_option(*command, options->guest, "Which guest (default: tuned where there is one)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
