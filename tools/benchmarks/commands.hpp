#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace capsa::bench {

/// What a subcommand does once its options are read.
using Action = std::function<void()>;

void add_block(CLI::App& app, Action& action);
void add_boot(CLI::App& app, Action& action);
void add_exec(CLI::App& app, Action& action);
void add_idle(CLI::App& app, Action& action);
void add_image(CLI::App& app, Action& action);
void add_kvm_boot(CLI::App& app, Action& action);
void add_net(CLI::App& app, Action& action);
void add_overhead(CLI::App& app, Action& action);
void add_pool(CLI::App& app, Action& action);
void add_scale(CLI::App& app, Action& action);
void add_soak(CLI::App& app, Action& action);
void add_stop(CLI::App& app, Action& action);

}  // namespace capsa::bench
