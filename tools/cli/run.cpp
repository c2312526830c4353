#include <tools/cli/commands.hpp>
#include <tools/cli/image_pull.hpp>
#include <tools/cli/network_options.hpp>
#include <tools/cli/options.hpp>
#include <tools/cli/report.hpp>
#include <tools/cli/run_session.hpp>

namespace capsa::cli {
namespace {

constexpr const char* kFooter = R"(
The command's standard streams, signals and exit status are those of capsa:
  N        the command ended with status N
  128+N    signal N ended the command
  124      --timeout passed      125  capsa itself failed
  126      the command is not executable      127  there is no such command

Options end at the first word that is none, or at "--".

Examples:
  capsa run -- cat /proc/version
  capsa run -t -- /bin/sh
  echo hello | capsa run -- wc -c
  capsa run --image python:3.11 -- python3 -c 'print(6 * 7)'
  capsa run --allow example.com -- wget -qO- http://example.com/
  capsa run --share .:/work:rw --workdir /work --env CI=1 -- sh -c 'ls -l > listing.txt')";

/// Says that a command follows; CLI11 knows of none.
class Usage : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: capsa run [OPTIONS] [--] COMMAND [ARGUMENTS]...\n";
  }
};

/// As written; checked when the command line is whole.
struct Words {
  unsigned cpus = 1;
  std::string memory = "512";
  ImageWords image;
  std::string scratch;
  std::vector<std::string> shares;
  std::vector<std::string> disks;
  bool nested = false;
  NetworkWords network;
  std::string flow_log;
  std::vector<std::string> env;
  std::string timeout;
  std::string backend = "auto";
  std::string accelerator = "auto";
  std::string working_dir;
  std::string user;
  bool pty = false;
  int verbosity = 0;
};

result<RunOptions> understand(const Words& words, std::vector<std::string> command) {
  RunOptions options;
  if (words.image.reference.empty() && !words.image.is_plain())
    return error(ErrorCode::InvalidConfig, "run: --pull, --auth-file and --insecure are for images",
                 "add --image REFERENCE");
  if (words.image.reference.empty() && !words.scratch.empty())
    return error(ErrorCode::InvalidConfig, "run: --scratch is for images",
                 "add --image REFERENCE; other guests write to their memory as they like");
  if (!words.image.reference.empty()) {
    auto image = parse_image(words.image);
    if (!image) return image.error();
    options.image = *std::move(image);
    if (!words.scratch.empty()) {
      const auto scratch = parse_memory(words.scratch);
      if (!scratch) return scratch.error();
      options.image->options.scratch_mb = *scratch;
    }
  } else if (command.empty()) {
    return error(ErrorCode::InvalidConfig, "run: there is no command",
                 "write it after the options: capsa run -- COMMAND ARGUMENTS");
  }
  options.command = std::move(command);
  options.vm.resources.cpus = words.cpus;
  const auto memory = parse_memory(words.memory);
  if (!memory) return memory.error();
  options.vm.resources.memory_mb = *memory;
  for (const auto& word : words.shares) {
    auto share = parse_share(word);
    if (!share) return share.error();
    options.vm.shares.push_back(*std::move(share));
  }
  for (const auto& word : words.disks) {
    auto disk = parse_disk("--disk", word);
    if (!disk) return disk.error();
    options.vm.disks.push_back(*std::move(disk));
  }
  options.vm.nested = words.nested;
  auto network = parse_network(words.network);
  if (!network) return network.error();
  options.vm.network = *std::move(network);
  if (!words.flow_log.empty() && options.vm.network.is<NetworkMode::None>())
    return error(ErrorCode::InvalidConfig, "--flow-log: there is no network", "add --net user");
  options.flow_log = words.flow_log;
  for (const auto& word : words.env) {
    auto variable = parse_env(word);
    if (!variable) return variable.error();
    options.env.push_back(*std::move(variable));
  }
  if (!words.timeout.empty()) {
    const auto timeout = parse_seconds(words.timeout);
    if (!timeout) return timeout.error();
    options.timeout = *timeout;
  }
  const auto backend = parse_backend(words.backend);
  if (!backend) return backend.error();
  options.vm.backend = *backend;
  const auto accelerator = parse_accelerator(words.accelerator);
  if (!accelerator) return accelerator.error();
  options.vm.accelerator = *accelerator;
  options.working_dir = words.working_dir;
  options.user = words.user;
  options.pty = words.pty;
  if (words.verbosity > 0)
    options.log_level = words.verbosity > 1 ? LogLevel::Debug : LogLevel::Info;
  return options;
}

int run(const Words& words, std::vector<std::string> command, const Tail& tail) {
  if (!command.empty() && command.front().starts_with('-')) {
    return report({ErrorCode::InvalidConfig, "run: there is no option " + command.front(),
                   "capsa run --help lists them; a command that starts with \"-\" goes after "
                   "\"--\""});
  }
  // "--" after the command's first word is the command's own.
  if (tail.given && !command.empty()) command.emplace_back("--");
  command.insert(command.end(), tail.words.begin(), tail.words.end());
  auto options = understand(words, std::move(command));
  if (!options) return report(options.error());
  if (options->image) {
    // Here, where there is a terminal for its bar; the sandbox then finds it in the cache.
    const auto pulled = pull_image(*options->image);
    if (!pulled) return report(pulled.error());
    options->image->options.pull = PullPolicy::Missing;
  }
  return RunSession(*std::move(options)).run();
}

}  // namespace

void add_run(CLI::App& app, Action& action, const Tail& tail) {
  auto* command = app.add_subcommand("run", "Run a command in a fresh virtual machine");
  command->footer(kFooter);
  command->formatter(std::make_shared<Usage>());
  command->prefix_command();
  auto words = std::make_shared<Words>();
  command->add_option("--cpus", words->cpus, "Virtual CPUs, 1 to 255")->capture_default_str();
  command->add_option("--memory", words->memory, "Memory in MiB, or with a suffix: 2G")
      ->capture_default_str()
      ->type_name("SIZE");
  command
      ->add_option("--share", words->shares,
                   "Share a directory of this host at a path of the guest; read-only by default")
      ->type_name("HOST:GUEST[:ro|rw]")
      ->allow_extra_args(false);
  add_image_options(*command, words->image);
  command
      ->add_option("--scratch", words->scratch,
                   "How much the guest may write beside its image; half of its memory by default")
      ->type_name("SIZE");
  command->add_option("--env", words->env, "Set a variable, or pass this environment's value on")
      ->type_name("KEY[=VALUE]")
      ->allow_extra_args(false);
  command->add_option("--workdir", words->working_dir, "Directory of the guest to start in")
      ->type_name("DIR");
  command->add_option("--user", words->user, "User of the guest to run as; root by default")
      ->type_name("NAME|UID[:GROUP]");
  command
      ->add_option(
          "--timeout", words->timeout,
          "Longest time from now to the command's end; then SIGTERM, and SIGKILL 2 s later")
      ->type_name("SECONDS");
  command->add_flag("-t,--tty", words->pty, "Give the command a terminal");
  command
      ->add_option("--disk", words->disks,
                   "Attach an image, block device or nbd:// disk: vda, vdb, ... in the guest")
      ->type_name("IMAGE[:ro|rw|overlay][:raw|qcow2]")
      ->allow_extra_args(false);
  add_network_options(*command, words->network);
  command
      ->add_option("--flow-log", words->flow_log,
                   "Write a line for each connection into a new file: when, allow or deny, the "
                   "protocol, from, to, the name and the rule")
      ->type_name("FILE");
  command->add_flag("--nested", words->nested,
                    "Give the guest a CPU that can run virtual machines of its own");
  command->add_flag("-v,--verbose", words->verbosity, "Log what happens; twice for more");
  command->add_option("--backend", words->backend, "auto, kvm (in this process) or qemu")
      ->capture_default_str();
  command->add_option("--accel", words->accelerator, "auto, kvm or tcg")->capture_default_str();
  command->callback([&action, &tail, words, command] {
    action = [words, rest = command->remaining(), &tail] { return run(*words, rest, tail); };
  });
}

}  // namespace capsa::cli
