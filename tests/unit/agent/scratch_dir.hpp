#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace capsa::agent::test {

/// A directory of its own, gone with the object.
class ScratchDir {
 public:
  ScratchDir();
  ~ScratchDir();
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string contents(const std::string& path);
void put(const std::string& path, std::string_view text);

}  // namespace capsa::agent::test
