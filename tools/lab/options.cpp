#include <unistd.h>

#include <algorithm>
#include <backends/runtime_dir/libexec.hpp>
#include <cstdlib>
#include <tools/cli/options.hpp>
#include <tools/cli/progress.hpp>
#include <tools/lab/guest.hpp>
#include <tools/lab/options.hpp>

namespace capsa::lab {
namespace {

namespace fs = std::filesystem;

/// Where the guest's agent mounts the shares, before capsa-lab-enter puts them together.
constexpr const char* kHost = "/.host";
constexpr const char* kWritable = "/.rw";

/// Emulated machines have been seen to hang. A busy lab answers in a second or two; a guest that
/// ends itself for this (see standstill.hpp) says more, so it comes first.
constexpr std::chrono::seconds kSilence(90);

result<std::string> real_path(const fs::path& path) {
  std::error_code failed;
  auto real = fs::canonical(path, failed);
  if (failed) return error_from_errno(failed.value(), "find " + path.string());
  return real.string();
}

/// For what is looked up before the host's root is the guest's: without symbolic links, since
/// absolute ones lead elsewhere there.
result<std::string> path_below_host(const fs::path& path) {
  auto real = real_path(path);
  if (!real) return real;
  return kHost + *real;
}

void keep(Plan& plan, const std::string& path) {
  const auto entry = entry_to_keep(path);
  if (!entry.empty() && std::find(plan.kept.begin(), plan.kept.end(), entry) == plan.kept.end())
    plan.kept.push_back(entry);
}

result<void> add_directories(const Words& words, const std::string& program, Order& order) {
  const auto here = real_path(".");
  if (!here) return here.error();
  order.plan.working_dir = *here;
  keep(order.plan, *here + "/");
  keep(order.plan, fs::path(program).lexically_normal());
  for (const auto& word : words.kept) {
    const auto real = real_path(word);
    if (!real) return real.error();
    keep(order.plan, *real + "/");
  }
  // A lab lives for minutes, and what it reads most are libraries.
  order.session.vm.shares.push_back(
      {"/", kHost, MountMode::ReadOnly, Ownership::Squash, ShareCache::Always});
  for (const auto& word : words.writable) {
    const auto real = real_path(word);
    if (!real) return real.error();
    if (*real == "/")
      return error(ErrorCode::InvalidConfig, "--rw: all of this host is too much",
                   "name a directory for results");
    const std::string at = kWritable + std::to_string(order.plan.binds.size());
    order.session.vm.shares.push_back({*real, at, MountMode::ReadWrite});
    order.plan.binds.push_back({at, *real});
  }
  return {};
}

result<void> add_environment(const Words& words, cli::RunOptions& session) {
  for (const char* name : {"HOME", "PATH"})
    if (const char* value = std::getenv(name)) session.env.emplace_back(name, value);
  session.env.emplace_back("CAPSA_IN_LAB", "1");
  for (const auto& word : words.env) {
    auto variable = cli::parse_env(word);
    if (!variable) return variable.error();
    session.env.push_back(*std::move(variable));
  }
  return {};
}

result<std::vector<fs::path>> modules_for(const fs::path& cache, const GuestAssets& guest) {
  cli::ProgressBar bar(::isatty(STDERR_FILENO) != 0);
  return kvm_modules(cache, guest.kernel_version,
                     [&bar](std::string_view step, std::uint64_t done, std::uint64_t total) {
                       bar.show(step, done, total);
                     });
}

// A tick that is periodic on every CPU. Several emulated CPUs that run guests of their own have
// been seen to miss an interrupt, and their kernel sends none where it believes one to be on its
// way: such a CPU waits for ever, and others for it. With the next one it sees what it missed.
constexpr const char* kPeriodicTick = " nohz=off highres=off";

}  // namespace

result<Order> understand(const Words& words, std::vector<std::string> command) {
  if (command.empty()) {
    return error(ErrorCode::InvalidConfig, "there is no command",
                 "write it after the options: tools/kvm_lab -- COMMAND ARGUMENTS");
  }
  Order order;
  const auto memory = cli::parse_memory(words.memory);
  if (!memory) return memory.error();
  const auto timeout = cli::parse_seconds(words.timeout);
  if (!timeout) return timeout.error();
  order.session.timeout = *timeout;
  order.session.vm.resources = {words.cpus, *memory};
  order.session.vm.accelerator = Accelerator::Tcg;
  order.session.vm.nested = true;
  // Emulated whatever the environment says, which is for the command.
  order.session.vm.backend = Backend::Qemu;
  order.session.silence = kSilence;
  if (words.cpus > 1 && !words.fine_timers) order.kernel_words = kPeriodicTick;
  order.session.pty = words.pty;
  if (words.verbosity > 0)
    order.session.log_level = words.verbosity > 1 ? LogLevel::Debug : LogLevel::Info;
  order.plan.root = kHost;
  if (auto added = add_directories(words, command.front(), order); !added) return added.error();
  if (auto added = add_environment(words, order.session); !added) return added.error();
  order.plan.command = std::move(command);
  return order;
}

result<void> add_guest(Order& order) {
  const auto enter = libexec_program("capsa-lab-enter");
  if (enter.empty()) {
    return error(ErrorCode::NotFound, "the lab's helper (capsa-lab-enter) is not here",
                 "build the target capsa-lab-enter");
  }
  const auto cache = guest_cache();
  if (!cache) return cache.error();
  auto guest = find_stock_guest(*cache);
  if (!guest) return guest.error();
  guest->command_line += order.kernel_words;
  const auto modules = modules_for(*cache, *guest);
  if (!modules) return modules.error();
  for (const auto& module : *modules) {
    auto path = path_below_host(module);
    if (!path) return path.error();
    order.plan.modules.push_back(*std::move(path));
  }
  auto program = path_below_host(enter);
  if (!program) return program.error();
  order.session.guest = *std::move(guest);
  order.session.command = to_arguments(order.plan);
  order.session.command.insert(order.session.command.begin(), *std::move(program));
  return {};
}

}  // namespace capsa::lab
