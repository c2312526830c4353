#pragma once

#include <capsa/result.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tools/guest/apt.hpp>
#include <vector>

namespace capsa::guest {

/// A kernel in the cache, made once and shared by all guests prepared from it.
struct Kernel {
  std::filesystem::path directory;  ///< vmlinux, version, modules.list and modules/
  std::string version;              ///< as `uname -r` tells it
  /// Modules that the agent loads, in this order: paths below `directory`/modules. The first group
  /// is what the agent needs to reach the host; the others wait until it has.
  std::vector<std::vector<std::filesystem::path>> modules = {};
};

/// Reads back what write_kernel() wrote. NotFound where there is no whole kernel, or not the one
/// that was written.
result<Kernel> open_kernel(const std::filesystem::path& directory);

/// Writes the list of modules, the version and the kernel's content key beside vmlinux and
/// modules/, which are there.
result<void> write_kernel(const Kernel& kernel);

/// The kernel made last of those in the cache whose names have this form: what still works where
/// the package lists are gone or a network is not to be had. None where there is none.
std::optional<Kernel> last_kernel(const std::filesystem::path& root, bool tuned,
                                  std::string_view name_ends_with = {});

/// The distribution's cloud kernel, from its package; from the cache where it is there and not to
/// be made `anew`.
result<Kernel> stock_kernel(const std::filesystem::path& root, bool anew, const Progress& progress);

/// The small kernel: the distribution's kernel source, with `config` (options that are on or have a
/// value; all others are off), compiled by `jobs` compilers at once (0: one per CPU).
/// NotFound with the packages to install where build tools are missing; InvalidConfig where the
/// kernel's dependencies dropped options.
result<Kernel> tuned_kernel(const std::filesystem::path& root, std::string_view config, bool anew,
                            unsigned jobs, const Progress& progress);

/// The options of `wanted` that `actual` (a .config) does not have as they stand there.
std::vector<std::string> dropped_options(std::string_view wanted, std::string_view actual);

/// Names what a list of options asks for, whatever its comments say.
std::string config_key(std::string_view config);

/// The option list that comes with this library (kernel.config).
std::string_view tuned_kernel_config();

}  // namespace capsa::guest
