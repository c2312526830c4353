#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace capsa::tests {

/// A private directory that goes with its object.
class ScratchDir {
 public:
  ScratchDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "capsa-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path file(const std::string& name, const std::string& content,
                             mode_t mode = 0600) const {
    const auto where = path_ / name;
    std::ofstream(where, std::ios::binary) << content;
    ::chmod(where.c_str(), mode);
    return where;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace capsa::tests
