#pragma once

#include <capsa/result.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace capsa::guest {

/// Called with what is being done, and how much of it is: `done` of `total`, in no particular unit.
/// `total` is 0 where nobody knows. On the thread that prepares.
using Progress =
    std::function<void(std::string_view step, std::uint64_t done, std::uint64_t total)>;

// Packages are fetched with the host's own apt, so its sources, proxies and signatures count; they
// are unpacked into a directory, and nothing is installed. All of this blocks. Errors: NotFound
// where apt or dpkg is missing or knows no such package, IoError where fetching fails; each with a
// hint.

/// The package that a meta package stands for: its first dependency that starts with `prefix`.
result<std::string> resolve_package(const std::string& meta, std::string_view prefix);

/// The version that fetch_package() would fetch.
result<std::string> package_version(const std::string& package);

/// Downloads a package and unpacks it below `directory`, which exists and is empty.
result<void> fetch_package(const std::string& package, const std::filesystem::path& directory,
                           const Progress& progress);

}  // namespace capsa::guest
