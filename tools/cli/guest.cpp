#include <unistd.h>

#include <actors/guest/cache.hpp>
#include <ctime>
#include <iostream>
#include <memory>
#include <tools/cli/commands.hpp>
#include <tools/cli/progress.hpp>
#include <tools/cli/report.hpp>
#include <tools/guest/prepare.hpp>

namespace capsa::cli {
namespace {

constexpr const char* kFooter = R"(
A guest is a kernel and an initrd with capsa's agent. It is made from Debian's packages, which apt
downloads; nothing is installed on this host. --tuned compiles a small kernel that starts faster.

Examples:
  capsa guest prepare
  capsa guest prepare --tuned
  capsa guest list)";

int prepare(bool tuned, bool force) {
  ProgressBar bar(::isatty(STDERR_FILENO) != 0);
  guest::PrepareOptions options;
  options.tuned = tuned;
  options.force = force;
  options.progress = [&bar](std::string_view step, std::uint64_t done, std::uint64_t total) {
    bar.show(step, done, total);
  };
  const auto assets = guest::prepare(options);
  bar.finish();
  if (!assets) return report(assets.error());
  std::cout << "guest ready: " << (assets->tuned ? "tuned" : "stock") << " kernel "
            << assets->kernel_version << " in " << assets->kernel.parent_path().string() << '\n';
  return 0;
}

std::string date(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  char text[32] = "";
  if (::localtime_r(&time, &parts) != nullptr) std::strftime(text, sizeof text, "%F %R", &parts);
  return text;
}

int list() {
  const auto root = guest_cache();
  if (!root) return report(root.error());
  const auto chosen = find_guest();
  for (const auto& guest : guest::list_guests(*root)) {
    const bool used = chosen && chosen->kernel.parent_path() == guest.directory;
    std::cout << (used ? "* " : "  ") << (guest.manifest.tuned ? "tuned " : "stock ")
              << guest.manifest.kernel_version << "  " << date(guest.manifest.created) << "  "
              << guest.directory.string() << '\n';
  }
  return chosen ? 0 : report(chosen.error());
}

int path() {
  const auto chosen = find_guest();
  if (!chosen) return report(chosen.error());
  std::cout << chosen->kernel.string() << '\n' << chosen->initrd.string() << '\n';
  return 0;
}

}  // namespace

void add_guest(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("guest", "Make and list the guests that `capsa run` boots");
  command->footer(kFooter);
  command->require_subcommand(1);

  struct Flags {
    bool tuned = false;
    bool force = false;
  };
  auto flags = std::make_shared<Flags>();
  auto* make = command->add_subcommand("prepare", "Make the guest, unless it is there");
  make->add_flag("--tuned", flags->tuned, "Compile a small kernel from source: takes minutes");
  make->add_flag("--force", flags->force, "Make it anew");
  make->callback(
      [&action, flags] { action = [flags] { return prepare(flags->tuned, flags->force); }; });

  command->add_subcommand("list", "List prepared guests; * marks the one that is used")
      ->callback([&action] { action = list; });
  command->add_subcommand("path", "Print the kernel and the initrd that are used")
      ->callback([&action] { action = path; });
}

}  // namespace capsa::cli
