#include <signal.h>

#include <algorithm>
#include <memory>
#include <tools/cli/commands.hpp>
#include <tools/cli/report.hpp>
#include <tools/cli/terminal.hpp>
#include <tools/lab/options.hpp>

namespace {

using namespace capsa;

constexpr const char* kFooter = R"(
The command runs as root in an emulated guest that has the files of this host at the same paths, and
a /dev/kvm that works. It starts in this directory. What it writes stays in the guest's memory, but
for what it writes below a --rw directory. /tmp and /run are empty, except for the directories there
that hold this directory or the command, or are named by --keep. CAPSA_IN_LAB is 1. Emulation is no
boundary: whatever runs in the lab may read all that you may read.

Exit status: the command's own, 128+N for signal N; 124 where --timeout passed, 125 where the lab
itself failed, 126 and 127 where the command could not be started.

Examples:
  tools/kvm_lab -- build/dev/bin/capsa doctor
  tools/kvm_lab --rw build/results -- sh -c 'dmesg > build/results/dmesg'
  tools/kvm_lab -t -- /bin/sh)";

/// Says that a command follows; CLI11 knows of none.
class Usage : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: tools/kvm_lab [OPTIONS] -- COMMAND [ARGUMENTS]...\n";
  }
};

void add_options(CLI::App& app, lab::Words& words) {
  app.add_option(
         "--cpus", words.cpus,
         "Virtual CPUs, 1 to 255; with more than one the lab crashes or hangs now and then, "
         "most of all where guests in it have several")
      ->capture_default_str();
  app.add_option("--memory", words.memory, "Memory in MiB, or with a suffix")
      ->capture_default_str()
      ->type_name("SIZE");
  app.add_option("--timeout", words.timeout,
                 "Longest time from now to the command's end; then SIGTERM, and SIGKILL 2 s later")
      ->capture_default_str()
      ->type_name("SECONDS");
  app.add_option("--rw", words.writable, "A directory that the command may change")
      ->type_name("DIR")
      ->allow_extra_args(false);
  app.add_option("--keep", words.kept, "A directory below /tmp or /run that stays to be seen")
      ->type_name("DIR")
      ->allow_extra_args(false);
  app.add_option("--env", words.env, "Set a variable, or pass this environment's value on")
      ->type_name("KEY[=VALUE]")
      ->allow_extra_args(false);
  app.add_flag(
      "--fine-timers", words.fine_timers,
      "With several CPUs: timers as fine as with one, for measurements; without it they are as "
      "coarse as 4 ms, and the lab hangs less often");
  app.add_flag("-t,--tty", words.pty, "Give the command a terminal");
  app.add_flag("-v,--verbose", words.verbosity, "Log what happens; twice for more");
}

int run(int argc, char** argv) {
  const std::vector<std::string> all(argv + std::min(argc, 1), argv + argc);
  const auto end = std::find(all.begin(), all.end(), "--");
  std::vector<std::string> ours(all.begin(), end);
  std::vector<std::string> command;
  if (end != all.end()) command.assign(end + 1, all.end());

  CLI::App app("Runs a command in an emulated guest that has a /dev/kvm.", "kvm_lab");
  app.footer(kFooter);
  app.formatter(std::make_shared<Usage>());
  lab::Words words;
  add_options(app, words);
  try {
    std::reverse(ours.begin(), ours.end());  // as CLI11 takes them
    app.parse(ours);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : cli::kOwnFailure;
  }
  auto order = lab::understand(words, std::move(command));
  if (!order) return cli::report(order.error());
  if (auto added = lab::add_guest(*order); !added) return cli::report(added.error());
  return cli::RunSession(std::move(order->session)).run();
}

}  // namespace

int main(int argc, char** argv) try {
  cli::open_standard_fds();
  // A reader that went away is an error of the write, and handled there.
  ::signal(SIGPIPE, SIG_IGN);
  return run(argc, argv);
} catch (const capsa::error& e) {
  return capsa::cli::report(e);
} catch (const std::exception& e) {
  return capsa::cli::report({capsa::ErrorCode::Internal, e.what()});
}
