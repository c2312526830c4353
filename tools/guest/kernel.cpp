#include <actors/guest/cache.hpp>
#include <actors/guest/content_key.hpp>
#include <actors/guest/manifest.hpp>
#include <set>
#include <sstream>
#include <tools/guest/kernel.hpp>
#include <tools/guest/vmlinux.hpp>

namespace capsa::guest {
namespace {

constexpr std::size_t kMaxText = 256 * 1024;
constexpr std::string_view kOff = " is not set";
constexpr const char* kKeyName = "vmlinux.key";

bool switches_off(std::string_view line) {
  return line.starts_with("# CONFIG_") && line.ends_with(kOff);
}

}  // namespace

result<Kernel> open_kernel(const std::filesystem::path& directory) {
  const auto vmlinux = read_file(directory / Manifest::kKernelName, kMaxKernel);
  const auto key = read_file(directory / kKeyName, kMaxText);
  // A disk that was full or a power cut may have left less than was written.
  if (!vmlinux || !key || content_key(*vmlinux) != *key)
    return error(ErrorCode::NotFound, "no kernel in " + directory.string());
  auto version = read_file(directory / "version", kMaxText);
  const auto list = read_file(directory / "modules.list", kMaxText);
  if (!version || !list) return !version ? version.error() : list.error();
  Kernel kernel{directory, *std::move(version)};
  std::istringstream lines(*list);
  bool new_group = true;
  for (std::string line; std::getline(lines, line); new_group = line.empty()) {
    if (line.empty()) continue;
    if (new_group) kernel.modules.emplace_back();
    kernel.modules.back().emplace_back(line);
  }
  return kernel;
}

result<void> write_kernel(const Kernel& kernel) {
  std::string list;
  for (const auto& group : kernel.modules) {
    if (!list.empty()) list += '\n';
    for (const auto& module : group)
      list += module.string() + '\n';
  }
  if (auto written = write_file(kernel.directory / "modules.list", list); !written) return written;
  const auto vmlinux = read_file(kernel.directory / Manifest::kKernelName, kMaxKernel);
  if (!vmlinux) return vmlinux.error();
  if (auto written = write_file(kernel.directory / kKeyName, content_key(*vmlinux)); !written)
    return written;
  return write_file(kernel.directory / "version", kernel.version);
}

std::optional<Kernel> last_kernel(const std::filesystem::path& root, bool tuned,
                                  std::string_view name_ends_with) {
  namespace fs = std::filesystem;
  const std::string kind = tuned ? "tuned-" : "stock-";
  std::optional<Kernel> last;
  fs::file_time_type made;
  std::error_code failed;
  for (fs::directory_iterator it(kernels_directory(root), failed), end; !failed && it != end;
       it.increment(failed)) {
    const auto name = it->path().filename().native();
    if (!name.starts_with(kind) || !name.ends_with(name_ends_with)) continue;
    std::error_code unknown;
    const auto time = fs::last_write_time(it->path() / "version", unknown);
    if (unknown || (last && time <= made)) continue;
    auto kernel = open_kernel(it->path());
    if (!kernel) continue;
    last = *std::move(kernel);
    made = time;
  }
  return last;
}

std::vector<std::string> dropped_options(std::string_view wanted, std::string_view actual) {
  std::set<std::string> lines;
  std::set<std::string> names;  // that have a value
  std::istringstream have{std::string(actual)};
  for (std::string line; std::getline(have, line);) {
    if (line.starts_with("CONFIG_")) names.insert(line.substr(0, line.find('=')));
    lines.insert(std::move(line));
  }
  std::vector<std::string> dropped;
  std::istringstream want{std::string(wanted)};
  for (std::string line; std::getline(want, line);) {
    if (line.starts_with("CONFIG_") && !lines.contains(line)) dropped.push_back(line);
    // An option that does not exist in this kernel is off as well.
    if (switches_off(line) && names.contains(line.substr(2, line.size() - 2 - kOff.size())))
      dropped.push_back(line);
  }
  return dropped;
}

std::string config_key(std::string_view config) {
  ContentKey key;
  std::istringstream lines{std::string(config)};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("CONFIG_") || switches_off(line)) key.add(line + '\n');
  return key.text();
}

}  // namespace capsa::guest
