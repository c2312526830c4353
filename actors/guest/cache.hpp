#pragma once

#include <actors/guest/manifest.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::guest {

// The cache, below its root:
//   guest/KIND-VERSION-KEY/{vmlinux,initrd,manifest.json}   what find() picks from
//   kernels/KIND-VERSION[-KEY]/...                          what was fetched or built for them
//   .lock                                                   held while something is made
//   .new-XXXXXX/                                            being made, or left by a crash
// An entry is made in a directory of its own and renamed into place: it is there whole or not.

/// One whole entry of the cache.
struct CachedGuest {
  std::filesystem::path directory;
  Manifest manifest;
};

std::filesystem::path guests_directory(const std::filesystem::path& root);
std::filesystem::path kernels_directory(const std::filesystem::path& root);

/// The entry's name: KIND-VERSION-KEY. Characters of the version that are not letters, digits, "."
/// "_" or "-" become "_".
std::string entry_name(bool tuned, std::string_view version, std::string_view key);

/// Every entry that has a kernel, an initrd and a manifest known here, in no order; anything else
/// in the directory is passed over. Empty where there is no cache.
std::vector<CachedGuest> list_guests(const std::filesystem::path& root);

/// The entry to boot: of those with this agent (any agent where `agent_key` is empty) the tuned
/// before the stock, then the newest, then the last by name.
std::optional<CachedGuest> choose_guest(std::vector<CachedGuest> guests,
                                        std::string_view agent_key);

/// Creates the cache if need be and locks it for one maker at a time; waits for another one.
/// `waiting` is called first if there is one to wait for. The lock ends with the descriptor.
result<UniqueFd> lock_cache(const std::filesystem::path& root,
                            const std::function<void()>& waiting = {});

/// A directory to make something in, on the cache's own file system. Removed with all its content
/// unless publish() put it in its place. To be used with the lock held.
class NewEntry {
 public:
  static result<NewEntry> create(const std::filesystem::path& root);
  NewEntry(NewEntry&& other) noexcept;
  NewEntry& operator=(NewEntry&&) = delete;
  NewEntry(const NewEntry&) = delete;
  NewEntry& operator=(const NewEntry&) = delete;
  ~NewEntry();

  const std::filesystem::path& path() const noexcept { return path_; }
  /// Renames it to `target`, whose parent is created; an older `target` is replaced.
  result<void> publish(const std::filesystem::path& target);

 private:
  explicit NewEntry(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// Removes what makers left that did not live to publish it. To be called with the lock held.
void remove_unfinished(const std::filesystem::path& root);

/// Reads a whole file of at most `limit` bytes; ResourceExhausted where it is longer.
result<std::string> read_file(const std::filesystem::path& file, std::size_t limit);
/// Writes a file that must not exist yet.
result<void> write_file(const std::filesystem::path& file, std::string_view content);

}  // namespace capsa::guest
