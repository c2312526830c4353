#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace capsa {

// What RuntimeDir and the search for leftovers share: directories that only this user can enter,
// and everything in them by descriptor, so that no path is walked twice.

/// Creates `directory` (0700) unless it exists, and opens it. PermissionDenied where what is there
/// is not a directory, is another user's, is a symbolic link, or lets others in.
result<UniqueFd> open_private_directory(const std::filesystem::path& directory);

/// Locks `name` in `directory` for this process alone (flock(2); gone with the last descriptor,
/// hence with the process). Waits for the lock if `wait`, else ResourceExhausted where it is held.
result<UniqueFd> lock_file(int directory, const std::string& name, bool wait);

/// The names in a directory, without "." and "..".
std::vector<std::string> list_directory(int directory);

/// Removes everything in `directory` but `keep` in its top level. Follows no symbolic link and
/// stays on what it opened. False where something is left.
bool remove_contents(int directory, std::string_view keep = {});

/// Calls `found` with (directory, name) of every regular file below `directory`.
void for_each_file(int directory, const std::function<void(int, const std::string&)>& found);

}  // namespace capsa
