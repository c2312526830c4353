#include <capsa/capsa.hpp>
#include <tools/benchmarks/commands.hpp>
#include <tools/benchmarks/guests.hpp>
#include <tools/benchmarks/host_state.hpp>
#include <tools/benchmarks/samples.hpp>
#include <tools/benchmarks/soak_series.hpp>
#include <tools/benchmarks/soak_servers.hpp>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kBetweenSamples{5};

struct Options {
  unsigned minutes = 30;
  unsigned guests = 4;
  unsigned mib = 16;
  std::optional<unsigned> warm_up;
  std::string backend = "auto";
  std::string guest;
};

/// What a guest does until it is killed: bulk both ways, connections and datagrams that are short,
/// and questions for names that nobody has asked for before. The gateway stands for the host's
/// loopback.
std::string load(const SoakServers& servers, unsigned mib) {
  const auto port = [](std::uint16_t number) { return std::to_string(number); };
  return "exec 2>/dev/null; gw=10.0.2.2\n"
         "bulk() { while :; do head -c " +
         std::to_string(std::uint64_t{mib} << 20) + " /dev/zero | nc $gw " + port(servers.sink()) +
         " >/dev/null; nc $gw " + port(servers.source()) +
         " </dev/null >/dev/null; done; }\n"
         "short() { while :; do echo hello | nc $gw " +
         port(servers.echo()) +
         " >/dev/null; done; }\n"
         // What busybox has to send a datagram; its server knows no file. Each is from another
         // port, and a port costs one of the NAT's 256 sockets for four minutes.
         "datagrams() { while :; do tftp -g -l /tmp/none -r none $gw " +
         port(servers.udp()) +
         " >/dev/null; sleep 2; done; }\n"
         "names() { n=0; while :; do n=$((n+1)); nslookup $(hostname)-$n.soak.test $gw "
         ">/dev/null; done; }\n"
         "bulk & short & datagrams & names & wait";
}

std::size_t sockets_of_this_process() {
  std::size_t count = 0;
  for (const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto what = std::filesystem::read_symlink(one.path(), gone);
    if (!gone && what.native().starts_with("socket:")) ++count;
  }
  return count;
}

/// What the servers have seen between two moments.
struct Progress {
  explicit Progress(const SoakServers::Counters& now)
      : values{now.taken, now.given, now.connections, now.datagrams, now.questions} {}
  std::array<std::uint64_t, 5> values;
};

/// Prints what was done from minute to minute, and sees to it that all of it goes on.
class Work {
 public:
  explicit Work(const SoakServers& servers) : servers_(servers), last_(servers.counters()) {}

  void minute() {
    const Progress now(servers_.counters());
    std::array<std::uint64_t, 5> done{};
    for (std::size_t i = 0; i < done.size(); ++i) {
      done[i] = now.values[i] - last_.values[i];
      idle_[i] = done[i] == 0 ? idle_[i] + 1 : 0;
    }
    last_ = now;
    std::printf(
        "         up %llu MiB  down %llu MiB  %llu connections  %llu datagrams  %llu questions\n",
        static_cast<unsigned long long>(done[0] >> 20),
        static_cast<unsigned long long>(done[1] >> 20), static_cast<unsigned long long>(done[2]),
        static_cast<unsigned long long>(done[3]), static_cast<unsigned long long>(done[4]));
    for (std::size_t i = 0; i < done.size(); ++i)
      if (idle_[i] == kPatience) stopped(i);
  }
  void end() const {
    for (std::size_t i = 0; i < last_.values.size(); ++i)
      if (last_.values[i] == 0) stopped(i);
  }

 private:
  // Guests that are emulated on a busy host take minutes for one transfer.
  static constexpr unsigned kPatience = 5;

  [[noreturn]] static void stopped(std::size_t what) {
    static constexpr std::array kNames{"bytes from guests", "bytes to guests", "short connections",
                                       "datagrams", "questions for names"};
    throw error(ErrorCode::BackendFailed,
                std::string("there are no ") + kNames[what] + " any more, or there never were");
  }

  const SoakServers& servers_;
  Progress last_;
  std::array<unsigned, 5> idle_{};
};

void run(const Options& options) {
  const SoakServers servers(std::uint64_t{options.mib} << 20);
  const auto guest = guests(options.guest).back();
  const auto script = load(servers, options.mib);
  std::vector<VmHandle> vms;
  std::vector<VmNetwork> networks;
  for (unsigned i = 0; i < options.guests; ++i)
    vms.push_back(
        Capsa::sandbox()
            .name("soak" + std::to_string(i))
            .memory_mb(128)
            .guest(guest)
            .backend(backend_named(options.backend))
            .timeout(std::chrono::minutes(5))
            .network(NetworkMode::user_nat().host_loopback().resolver(servers.resolver()).build())
            .run("/bin/sh", {"-c", script})
            .build()
            .get());
  for (const auto& vm : vms) {
    vm.main_process().get();
    networks.push_back(vm.network().get());
  }
  // Flows that nobody ends time out within four minutes: before that their number can but grow.
  const unsigned warm_up = options.warm_up.value_or(std::min(5U, options.minutes / 5));
  std::printf("soak: %u guests (%s), backend %s, %u minutes, the first %u of them to warm up; %s\n",
              options.guests, name_of(guest).c_str(), options.backend.c_str(), options.minutes,
              warm_up, load_text().c_str());

  // Memory is taken in steps by the allocator; flows come and go with what the guests are at.
  SoakSeries memory("private memory", "KiB", 2, 2048);
  SoakSeries fds("fds", "", 10, 16);
  SoakSeries sockets("sockets", "", 10, 16);
  SoakSeries flows("live flows", "", 10, 32);
  SoakSeries threads("threads", "", 0, 0);
  const std::array all{&memory, &fds, &sockets, &flows, &threads};
  const auto begun = Clock::now();
  Work work(servers);
  for (unsigned minute = 1; minute <= options.minutes; ++minute) {
    HostState state;
    std::uint64_t live = 0;
    std::size_t open_sockets = 0;
    for (auto at = begun + std::chrono::minutes(minute - 1) + kBetweenSamples;
         at <= begun + std::chrono::minutes(minute); at += kBetweenSamples) {
      std::this_thread::sleep_until(at);
      state = host_state();
      open_sockets = sockets_of_this_process();
      live = 0;
      for (const auto& network : networks)
        live += network.stats().get().flows;
      if (minute <= warm_up) continue;
      memory.add(state.own / 1024);
      fds.add(state.fds);
      sockets.add(open_sockets);
      flows.add(live);
      threads.add(state.threads);
    }
    std::printf(
        "%3u min  private %llu KiB  resident %llu KiB  %zu fds  %zu sockets  %llu flows  %zu "
        "threads  %s\n",
        minute, static_cast<unsigned long long>(state.own / 1024),
        static_cast<unsigned long long>(state.resident / 1024), state.fds, open_sockets,
        static_cast<unsigned long long>(live), state.threads, load_text().c_str());
    work.minute();
  }
  work.end();
  for (const auto& vm : vms)
    vm.kill().get();
  std::printf("afterwards: %s; %s\n", to_text(host_state()).c_str(), load_text().c_str());
  std::string grown;
  for (const auto* one : all) {
    std::printf("  %s\n", one->to_text().c_str());
    if (one->grew()) grown += (grown.empty() ? "" : "; ") + one->to_text();
  }
  if (!grown.empty()) throw error(ErrorCode::Internal, "something grows: " + grown);
  std::printf("  nothing grew\n");
}

}  // namespace

void add_soak(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("soak", "Guests that use their network for half an hour");
  auto options = std::make_shared<Options>();
  command->add_option("--minutes", options->minutes, "How long (default: 30)")
      ->check(CLI::Range(1, 10000));
  command->add_option("--guests", options->guests, "How many guests (default: 4)")
      ->check(CLI::Range(1, 100));
  command->add_option("--mib", options->mib, "MiB of one bulk transfer (default: 16)")
      ->check(CLI::Range(1, 4096));
  command->add_option("--warm-up", options->warm_up,
                      "Minutes that are not compared (default: a fifth, at most 5)");
  add_backend_option(*command, options->backend);
  add_guest_option(*command, options->guest, "Which guest (default: tuned where there is one)");
  command->callback([&action, options] { action = [options] { run(*options); }; });
}

}  // namespace capsa::bench
