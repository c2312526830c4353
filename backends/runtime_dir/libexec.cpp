#include <unistd.h>

#include <algorithm>
#include <backends/runtime_dir/libexec.hpp>
#include <backends/runtime_dir/libexec_paths.hpp>
#include <cstdlib>
#include <system_error>
#include <vector>

namespace capsa {
namespace {

bool is_program(const std::filesystem::path& file) {
  std::error_code failed;
  return std::filesystem::is_regular_file(file, failed) && ::access(file.c_str(), X_OK) == 0;
}

bool lies_in(const std::filesystem::path& file, const std::filesystem::path& directory) {
  const auto [rest, unused] =
      std::mismatch(directory.begin(), directory.end(), file.begin(), file.end());
  return rest == directory.end();
}

}  // namespace

std::filesystem::path libexec_program(std::string_view name) {
  // A name, never a path.
  if (name.empty() || name.find('/') != std::string_view::npos) return {};
  std::vector<std::filesystem::path> places;
  if (const char* named = std::getenv("CAPSA_LIBEXEC"); named != nullptr && *named != '\0')
    places.emplace_back(named);
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (!failed && lies_in(self, kBuildTree)) places.emplace_back(kBuildLibexec);
  if (!failed) places.push_back(self.parent_path().parent_path() / "libexec/capsa");
  places.emplace_back(kInstalledLibexec);
  for (const auto& place : places) {
    auto program = place / name;
    if (is_program(program)) return program;
  }
  return {};
}

}  // namespace capsa
