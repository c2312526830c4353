#include <actors/guest/cache.hpp>
#include <actors/guest/content_key.hpp>
#include <actors/guest/manifest.hpp>
#include <set>
#include <sstream>
#include <tools/guest/kernel.hpp>

namespace capsa::guest {
namespace {

constexpr std::size_t kMaxText = 256 * 1024;
constexpr std::string_view kOff = " is not set";

bool switches_off(std::string_view line) {
  return line.starts_with("# CONFIG_") && line.ends_with(kOff);
}

}  // namespace

result<Kernel> open_kernel(const std::filesystem::path& directory) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(directory / Manifest::kKernelName, failed))
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
  return write_file(kernel.directory / "version", kernel.version);
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
