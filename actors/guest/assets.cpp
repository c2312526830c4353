#include <actors/guest/assets.hpp>
#include <actors/guest/cache.hpp>
#include <actors/guest/content_key.hpp>
#include <actors/guest/tsc.hpp>
#include <backends/runtime_dir/libexec.hpp>
#include <cstdlib>

namespace capsa {
namespace guest {

GuestAssets describe(const CachedGuest& guest, std::optional<std::uint32_t> tsc_khz) {
  const Manifest& manifest = guest.manifest;
  GuestAssets assets;
  assets.kernel = guest.directory / Manifest::kKernelName;
  assets.initrd = guest.directory / Manifest::kInitrdName;
  assets.command_line = manifest.command_line;
  if (tsc_khz) assets.command_line += " tsc_early_khz=" + std::to_string(*tsc_khz);
  assets.kernel_version = manifest.kernel_version;
  assets.acpi = manifest.acpi;
  assets.tuned = manifest.tuned;
  return assets;
}

std::uint64_t least_memory_mb(const GuestAssets& guest) {
  constexpr std::uint64_t kMib = std::uint64_t{1} << 20;
  constexpr std::uint64_t kToRunIn = 32;
  std::error_code failed;
  const auto kernel = std::filesystem::file_size(guest.kernel, failed);
  const auto initrd = failed ? 0 : std::filesystem::file_size(guest.initrd, failed);
  return failed ? 0 : (kernel + 2 * initrd) / kMib + kToRunIn;
}

result<GuestAssets> find_in(const std::filesystem::path& root, std::string_view agent_key,
                            std::optional<std::uint32_t> tsc_khz) {
  auto guests = list_guests(root);
  const bool any = !guests.empty();
  if (const auto chosen = choose_guest(std::move(guests), agent_key))
    return describe(*chosen, tsc_khz);
  return error(ErrorCode::GuestNotPrepared,
               any ? "the guests prepared in " + root.string() +
                         " carry another agent than this "
                         "version's"
                   : "no guest kernel and initrd in " + root.string(),
               "run: capsa guest prepare");
}

}  // namespace guest

result<std::filesystem::path> guest_cache(std::optional<std::filesystem::path> cache_dir) {
  if (cache_dir && !cache_dir->empty()) return *std::move(cache_dir);
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && xdg[0] == '/')
    return std::filesystem::path(xdg) / "capsa";
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/')
    return std::filesystem::path(home) / ".cache" / "capsa";
  return error(ErrorCode::NotFound, "neither XDG_CACHE_HOME nor HOME names a directory",
               "set one of them, or name a cache directory");
}

result<GuestAssets> find_guest(std::optional<std::filesystem::path> cache_dir) {
  auto root = guest_cache(std::move(cache_dir));
  if (!root) return root.error();
  // Without an agent here there is none to differ from: a program that was installed alone may
  // still use what another prepared.
  std::string agent_key;
  if (const auto agent = libexec_program("capsa-agent"); !agent.empty()) {
    auto key = guest::file_key(agent);
    if (!key) return key.error();
    agent_key = *std::move(key);
  }
  return guest::find_in(*root, agent_key, guest::tsc_khz());
}

}  // namespace capsa
