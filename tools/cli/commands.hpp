#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace capsa::cli {

/// What a subcommand does once the command line is understood; gives the exit status.
using Action = std::function<int()>;

/// The words after the first "--".
struct Tail {
  bool given = false;
  std::vector<std::string> words;
};

// Each adds a subcommand, which sets `action` when it is the one that was given.
void add_run(CLI::App& app, Action& action, const Tail& tail);
void add_vm(CLI::App& app, Action& action);
void add_disk(CLI::App& app, Action& action);
void add_guest(CLI::App& app, Action& action);
void add_image(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);
void add_backends(CLI::App& app, Action& action);

}  // namespace capsa::cli
