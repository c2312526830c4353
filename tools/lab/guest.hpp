#pragma once

#include <capsa/guest.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::lab {

/// The newest prepared guest with the distribution's kernel and this library's agent; the small
/// kernel has no KVM. GuestNotPrepared where there is none.
result<GuestAssets> find_stock_guest(const std::filesystem::path& cache);

/// Where the modules for that kernel are kept: another place whenever other ones are wanted.
std::filesystem::path modules_entry(const std::filesystem::path& cache,
                                    const std::string& kernel_version);

/// The modules of KVM, and of what tests make networks of, for that kernel, in the order in which
/// they are loaded. They are fetched once with the distribution's kernel package, and kept in the
/// cache. Errors: those of fetch_package().
result<std::vector<std::filesystem::path>> kvm_modules(
    const std::filesystem::path& cache, const std::string& kernel_version,
    const std::function<void(std::string_view, std::uint64_t, std::uint64_t)>& progress);

}  // namespace capsa::lab
