#include <backends/program/program.hpp>
#include <charconv>
#include <sstream>
#include <tools/guest/apt.hpp>

namespace capsa::guest {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUpdateHint =
    "run apt-get update, and check that the package sources are reachable";
constexpr const char* kDebianHint =
    "guests are made from Debian's packages: run this on a Debian or Ubuntu system";

/// The errors of apt tell what went wrong, not what to do.
error explain(const error& failure) {
  if (failure.code() == ErrorCode::NotFound)
    return {ErrorCode::NotFound, failure.message(), kDebianHint};
  return {failure.code(), failure.message(), kUpdateHint};
}

/// apt reports "dlstatus:1:23.4567:Retrieving file 1 of 1" on its status descriptor.
void report_download(std::string_view line, const std::string& step, const Progress& progress) {
  constexpr std::string_view kPrefix = "dlstatus:";
  if (!progress || !line.starts_with(kPrefix)) return;
  const auto percent_at = line.find(':', kPrefix.size());
  if (percent_at == std::string_view::npos) return;
  unsigned percent = 0;
  const char* const begin = line.data() + percent_at + 1;
  if (std::from_chars(begin, line.data() + line.size(), percent).ec == std::errc{} &&
      percent <= 100)
    progress(step, percent, 100);
}

result<fs::path> downloaded_package(const fs::path& directory) {
  std::error_code failed;
  for (fs::directory_iterator it(directory, failed), end; !failed && it != end;
       it.increment(failed))
    if (it->path().extension() == ".deb") return it->path();
  return error(ErrorCode::IoError, "apt-get download left no package in " + directory.string(),
               kUpdateHint);
}

}  // namespace

result<std::string> resolve_package(const std::string& meta, std::string_view prefix) {
  auto output =
      program::run({.words = {"apt-cache", "depends", "--important", meta}, .package = "apt"});
  if (!output) return explain(output.error());
  std::istringstream lines(*output);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kDepends = "Depends: ";
    const auto at = line.find(kDepends);
    if (at == std::string::npos) continue;
    const auto package = line.substr(at + kDepends.size());
    if (package.starts_with(prefix)) return package;
  }
  return error(ErrorCode::NotFound, "apt knows no package " + meta, kUpdateHint);
}

result<std::string> package_version(const std::string& package) {
  auto output = program::run(
      {.words = {"apt-cache", "show", "--no-all-versions", package}, .package = "apt"});
  if (!output) return explain(output.error());
  std::istringstream lines(*output);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("Version: ")) return line.substr(9);
  return error(ErrorCode::NotFound, "apt knows no package " + package, kUpdateHint);
}

result<void> fetch_package(const std::string& package, const fs::path& directory,
                           const Progress& progress) {
  const std::string step = "download " + package;
  if (progress) progress(step, 0, 0);
  // As root, apt would drop to its own user, who may not write to our directory.
  auto fetched =
      program::run({.words = {"apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "-o",
                              "APT::Status-Fd=1", package},
                    .directory = directory,
                    .line = [&](std::string_view line) { report_download(line, step, progress); },
                    .package = "apt"});
  if (!fetched) return explain(fetched.error());
  const auto file = downloaded_package(directory);
  if (!file) return file.error();

  if (progress) progress("unpack " + package, 0, 0);
  auto unpacked = program::run(
      {.words = {"dpkg-deb", "-x", file->string(), directory.string()}, .package = "dpkg"});
  if (!unpacked)
    return unpacked.error().code() == ErrorCode::NotFound ? explain(unpacked.error())
                                                          : unpacked.error();
  std::error_code failed;
  fs::remove(*file, failed);
  return {};
}

}  // namespace capsa::guest
