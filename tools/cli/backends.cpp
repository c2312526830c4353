#include <iostream>
#include <memory>
#include <tools/cli/commands.hpp>
#include <tools/cli/findings.hpp>

namespace capsa::cli {

void add_backends(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("backends", "List what can run VMs here");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "For programs");
  command->callback([&action, json] {
    action = [json] {
      const auto backends = list_backends();
      std::cout << (*json ? to_json(backends) : to_text(backends));
      return 0;
    };
  });
}

}  // namespace capsa::cli
