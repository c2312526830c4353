#include <unistd.h>

#include <actors/guest/cache.hpp>
#include <algorithm>
#include <array>
#include <backends/program/program.hpp>
#include <cstdlib>
#include <sstream>
#include <thread>
#include <tools/guest/elf.hpp>
#include <tools/guest/kernel.hpp>
#include <tools/guest/vmlinux.hpp>

namespace capsa::guest {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMetaPackage = "linux-source";
constexpr std::string_view kPrefix = "linux-source-";
constexpr std::size_t kMaxConfig = std::size_t{4} * 1024 * 1024;
// Objects that the option list of this folder compiles from a 6.1 source: how far the build is, on
// the whole. Another source has somewhat more or fewer.
constexpr std::uint64_t kObjects = 1480;

struct Tool {
  const char* program;
  const char* package;
};
constexpr std::array kTools = {
    Tool{"make", "make"}, Tool{"gcc", "gcc"},     Tool{"ld", "binutils"},
    Tool{"flex", "flex"}, Tool{"bison", "bison"}, Tool{"bc", "bc"},
    Tool{"tar", "tar"},   Tool{"xz", "xz-utils"}, Tool{"strip", "binutils"},
};

bool is_in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');)
    if (::access((fs::path(directory) / program).c_str(), X_OK) == 0) return true;
  return false;
}

/// Everything that is missing at once: nobody wants to install one package at a time.
result<void> check_tools() {
  std::vector<std::string> packages;
  const auto need = [&](const char* package) {
    if (std::find(packages.begin(), packages.end(), package) == packages.end())
      packages.emplace_back(package);
  };
  for (const auto& tool : kTools)
    if (!is_in_path(tool.program)) need(tool.package);
  if (is_in_path("gcc")) {
    // The kernel's own build tool reads object files with libelf.
    const auto header = program::run(
        {.words = {"gcc", "-include", "gelf.h", "-fsyntax-only", "-x", "c", "/dev/null"}});
    if (!header) need("libelf-dev");
    const auto libc = program::run(
        {.words = {"gcc", "-include", "stdio.h", "-fsyntax-only", "-x", "c", "/dev/null"}});
    if (!libc) need("libc6-dev");
  } else {
    need("libelf-dev");
    need("libc6-dev");
  }
  if (packages.empty()) return {};
  std::string line = "apt-get install";
  for (const auto& package : packages)
    line += " " + package;
  return error(ErrorCode::NotFound, "programs to compile the kernel with are missing",
               "run: " + line);
}

result<fs::path> unpack_source(const fs::path& work, const std::string& package,
                               const Progress& progress) {
  if (auto fetched = fetch_package(package, work, progress); !fetched) return fetched.error();
  if (progress) progress("unpack the kernel source", 0, 0);
  const fs::path archive = work / "usr/src" / (package + ".tar.xz");
  if (auto unpacked =
          program::run({.words = {"tar", "-xf", archive.string(), "-C", work.string()}});
      !unpacked)
    return unpacked.error();
  const fs::path source = work / package;
  std::error_code failed;
  fs::remove_all(work / "usr", failed);
  if (!fs::is_directory(source, failed))
    return error(ErrorCode::NotFound, package + " does not unpack to a directory of its name");
  return source;
}

/// "make" in the source, for the build directory, the same for everybody: no name, host or date of
/// whoever compiles gets into the kernel.
std::vector<std::string> make(const fs::path& source, const fs::path& build) {
  return {"make",
          "-C",
          source.string(),
          "O=" + build.string(),
          "KBUILD_BUILD_USER=capsa",
          "KBUILD_BUILD_HOST=capsa",
          "KBUILD_BUILD_TIMESTAMP=1970-01-01"};
}

result<void> configure(const fs::path& source, const fs::path& build, std::string_view config) {
  std::error_code failed;
  fs::create_directories(build, failed);
  if (auto written = write_file(build / "wanted.config", config); !written) return written;
  auto command = make(source, build);
  command.insert(command.end(),
                 {"-s", "KCONFIG_ALLCONFIG=" + (build / "wanted.config").string(), "allnoconfig"});
  if (auto configured = program::run({.words = command}); !configured) return configured.error();
  const auto actual = read_file(build / ".config", kMaxConfig);
  if (!actual) return actual.error();
  const auto dropped = dropped_options(config, *actual);
  if (dropped.empty()) return {};
  std::string list;
  for (const auto& option : dropped)
    list += (list.empty() ? "" : ", ") + option;
  return error(ErrorCode::InvalidConfig,
               "the kernel's own dependencies refuse these options: " + list,
               "add what they depend on to the option list, or leave them out");
}

result<std::string> compile(const fs::path& source, const fs::path& build, unsigned jobs,
                            const Progress& progress) {
  auto command = make(source, build);
  command.insert(command.end(), {"-j" + std::to_string(jobs), "vmlinux"});
  std::uint64_t objects = 0;
  const auto line = [&](std::string_view text) {
    const auto word = text.substr(std::min(text.find_first_not_of(' '), text.size()));
    if (!word.starts_with("CC ") && !word.starts_with("AS ")) return;
    ++objects;
    if (progress) progress("compile the kernel", objects, std::max(objects, kObjects));
  };
  if (auto compiled = program::run({.words = command, .line = line}); !compiled)
    return compiled.error();
  auto release = make(source, build);
  release.insert(release.end(), {"-s", "kernelrelease"});
  auto version = program::run({.words = release});
  if (version) version->erase(version->find_last_not_of("\r\n ") + 1);
  return version;
}

}  // namespace

result<Kernel> tuned_kernel(const fs::path& root, std::string_view config, bool anew, unsigned jobs,
                            const Progress& progress) {
  if (progress) progress("look up the kernel source", 0, 0);
  const auto package = resolve_package(kMetaPackage, kPrefix);
  const auto version = package ? package_version(*package) : package;
  if (!version) {
    if (auto kernel = last_kernel(root, true, "-" + config_key(config)); kernel && !anew) {
      if (progress) progress("take the kernel in the cache: apt knows no newer one", 0, 0);
      return *std::move(kernel);
    }
    return version.error();
  }
  const fs::path target = kernels_directory(root) / entry_name(true, *version, config_key(config));
  if (auto known = open_kernel(target); known && !anew) return known;

  if (auto checked = check_tools(); !checked) return checked.error();
  auto work = NewEntry::create(root);
  if (!work) return work.error();
  const auto source = unpack_source(work->path(), *package, progress);
  if (!source) return source.error();
  const fs::path build = work->path() / "build";
  if (progress) progress("configure the kernel", 0, 0);
  if (auto configured = configure(*source, build, config); !configured) return configured.error();
  if (jobs == 0) jobs = std::max(1U, std::thread::hardware_concurrency());
  auto release = compile(*source, build, jobs, progress);
  if (!release) return release.error();

  auto entry = NewEntry::create(root);
  if (!entry) return entry.error();
  const fs::path vmlinux = entry->path() / "vmlinux";
  // The symbol table is for debuggers; the kernel has its own for panics.
  if (auto stripped = program::run(
          {.words = {"strip", "-s", "-o", vmlinux.string(), (build / "vmlinux").string()}});
      !stripped)
    return stripped.error();
  const auto bytes = read_file(vmlinux, kMaxKernel);
  if (!bytes) return bytes.error();
  if (auto checked = check_vmlinux(*bytes); !checked) return checked.error();
  if (auto written = write_kernel({entry->path(), *std::move(release)}); !written)
    return written.error();
  if (auto published = entry->publish(target); !published) return published.error();
  return open_kernel(target);
}

}  // namespace capsa::guest
