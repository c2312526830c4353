#include <signal.h>

#include <algorithm>
#include <iostream>
#include <tools/cli/commands.hpp>
#include <tools/cli/report.hpp>
#include <tools/cli/terminal.hpp>
#include <tools/cli/version.hpp>

namespace {

constexpr const char* kFooter = R"(
Examples:
  capsa guest prepare                     make the guest, once
  capsa run -- uname -a                   run a command in a fresh VM
  capsa run -t -- /bin/sh                 a shell in a fresh VM
  capsa run --image python:3.11 -- python3 -c 'print(1)'
                                          a command of an OCI image
  capsa vm --kernel vmlinux --initrd initrd.img
                                          a VM of your own, console on the terminal
  capsa doctor                            what works here, and what is missing

Exit status: the command's own; 125 where capsa itself failed.
`capsa COMMAND --help` tells more.)";

int run(int argc, char** argv) {
  using namespace capsa::cli;
  // What stands after "--" is another program's, and not to be looked into.
  Tail tail;
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (const auto end = std::find(words.begin(), words.end(), "--"); end != words.end()) {
    tail = {true, {end + 1, words.end()}};
    words.erase(end, words.end());
  }

  CLI::App app("Runs commands and systems in virtual machines.", "capsa");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("capsa ") + version());
  Action action;
  add_run(app, action, tail);
  add_vm(app, action);
  add_disk(app, action);
  add_guest(app, action);
  add_image(app, action);
  add_doctor(app, action);
  add_backends(app, action);
  app.add_subcommand("version", "Print capsa's version")->callback([&action] {
    action = [] {
      std::cout << "capsa " << version() << '\n';
      return 0;
    };
  });

  // CLI11 would only say that a subcommand is required.
  const auto is_named = [&](CLI::App* one) { return one->get_name() == words.front(); };
  if (!words.empty() && !words.front().starts_with('-') && app.get_subcommands(is_named).empty()) {
    return report({capsa::ErrorCode::InvalidConfig, "there is no command " + words.front(),
                   "capsa --help lists them"});
  }
  try {
    std::reverse(words.begin(), words.end());  // as CLI11 takes them
    app.parse(words);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kOwnFailure;
  }
  if (tail.given && !app.got_subcommand("run")) {
    say("\"--\" is for a command, and only `capsa run` takes one");
    return kOwnFailure;
  }
  return action();
}

}  // namespace

int main(int argc, char** argv) try {
  capsa::cli::open_standard_fds();
  // A reader that went away is an error of the write, and handled there.
  ::signal(SIGPIPE, SIG_IGN);
  return run(argc, argv);
} catch (const capsa::error& e) {
  return capsa::cli::report(e);
} catch (const std::exception& e) {
  return capsa::cli::report({capsa::ErrorCode::Internal, e.what()});
}
