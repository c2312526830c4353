#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace capsa::image {

/// A whole regular file of at most `most` bytes; never waits for a FIFO. NotFound, InvalidConfig.
result<std::string> read_file(const std::filesystem::path& file, std::size_t most);

/// Puts `content` into `target`, by way of `temporary` on the same file system: whole or not at
/// all, also after a power cut.
result<void> write_whole(const std::filesystem::path& temporary,
                         const std::filesystem::path& target, std::string_view content);
/// Gives a file that is on the disk its name, and puts the name there, too.
result<void> rename_whole(const std::filesystem::path& temporary,
                          const std::filesystem::path& target);

/// A new directory below `parent`; gone with all its content at the end.
class Workshop {
 public:
  static constexpr std::string_view kPrefix = ".new-";

  static result<Workshop> create(const std::filesystem::path& parent);
  Workshop(Workshop&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Workshop& operator=(Workshop&&) = delete;
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  ~Workshop();

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  explicit Workshop(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace capsa::image
