#include <actors/guest/assets.hpp>
#include <actors/guest/cache.hpp>
#include <actors/guest/content_key.hpp>
#include <actors/guest/tsc.hpp>
#include <backends/runtime_dir/libexec.hpp>
#include <chrono>
#include <tools/guest/initrd.hpp>
#include <tools/guest/kernel.hpp>
#include <tools/guest/prepare.hpp>

namespace capsa::guest {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxAgent = std::size_t{64} * 1024 * 1024;

// nokaslr, mitigations=off: one tenant per guest; both cost time at every start.
// noreplace-smp: on one CPU Linux patches the lock prefix out of its own code, in some 8,000 places
// one by one, and switches address spaces for each.
// tsc=reliable, no_timer_check: no watchdogs over an emulated clock, which a busy host trips.
// How a panic or a reboot ends the machine is the machine's affair, see command_line() in make_vm.
constexpr std::string_view kCommandLine =
    "nokaslr mitigations=off tsc=reliable no_timer_check noreplace-smp "
    "random.trust_cpu=on quiet";

result<std::string> read_agent(const fs::path& given) {
  const fs::path agent = given.empty() ? libexec_program("capsa-agent") : given;
  if (agent.empty())
    return error(ErrorCode::NotFound, "the guest agent (capsa-agent) is not installed",
                 "build the target capsa-agent, or set CAPSA_LIBEXEC to its directory");
  return read_file(agent, kMaxAgent);
}

result<void> link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::create_hard_link(from, to, failed);
  if (failed) fs::copy_file(from, to, failed);
  if (failed) return error_from_errno(failed.value(), "copy " + from.string());
  return {};
}

/// One lock held by the caller covers everything below.
result<fs::path> make_guest(const fs::path& root, const PrepareOptions& options) {
  auto agent = read_agent(options.agent);
  if (!agent) return agent.error();
  auto kernel = options.tuned ? tuned_kernel(root, tuned_kernel_config(), options.force,
                                             options.jobs, options.progress)
                              : stock_kernel(root, options.force, options.progress);
  if (!kernel) return kernel.error();
  auto busybox = find_busybox(root, options.progress);
  if (!busybox) return busybox.error();

  if (options.progress) options.progress("write the initrd", 0, 0);
  Manifest manifest;
  manifest.tuned = options.tuned;
  manifest.kernel_version = kernel->version;
  manifest.command_line = std::string(kCommandLine) + (options.tuned ? " acpi=off" : "");
  // The distribution's kernel finds its devices through ACPI only. The small one has no PCI code,
  // without which Linux 6.1 does not load ACPI's tables.
  manifest.acpi = !options.tuned;
  manifest.agent_key = content_key(*agent);
  manifest.created = std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
  const fs::path kernel_directory = kernel->directory;
  const auto initrd = build_initrd({*std::move(agent), std::move(busybox->program),
                                    std::move(busybox->applets), *std::move(kernel)});
  if (!initrd) return initrd.error();

  // Named after all that a guest is made of: the same parts are the same guest.
  ContentKey key;
  key.add(*initrd);
  key.add(manifest.command_line);
  key.add(kernel_directory.filename().native());
  const fs::path target =
      guests_directory(root) / entry_name(options.tuned, manifest.kernel_version, key.text());
  for (const auto& known : list_guests(root))
    if (known.directory == target && !options.force) return target;

  auto entry = NewEntry::create(root);
  if (!entry) return entry.error();
  if (auto linked = link_or_copy(kernel_directory / Manifest::kKernelName,
                                 entry->path() / Manifest::kKernelName);
      !linked)
    return linked.error();
  if (auto written = write_file(entry->path() / Manifest::kInitrdName, *initrd); !written)
    return written.error();
  if (auto written = write_file(entry->path() / Manifest::kFileName, format_manifest(manifest));
      !written)
    return written.error();
  if (auto published = entry->publish(target); !published) return published.error();
  return target;
}

}  // namespace

result<GuestAssets> prepare(const PrepareOptions& options) {
  const auto root = guest_cache(options.cache_dir);
  if (!root) return root.error();
  const auto lock = lock_cache(*root, [&] {
    if (options.progress) options.progress("wait for another preparation", 0, 0);
  });
  if (!lock) return lock.error();
  remove_unfinished(*root);
  const auto made = make_guest(*root, options);
  if (!made) return made.error();
  for (const auto& guest : list_guests(*root))
    if (guest.directory == *made) return describe(guest, tsc_khz());
  return error(ErrorCode::Internal, "the guest that was just made is not in the cache");
}

}  // namespace capsa::guest
