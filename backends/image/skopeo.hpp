#pragma once

#include <capsa/image.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace capsa::image {

/// skopeo(1), which knows registries, their credentials and the formats of archives. What it brings
/// is checked here nevertheless. Errors carry the last line that it wrote.
class Skopeo {
 public:
  /// Its temporary files go to `temporary`.
  Skopeo(ImageOptions options, std::filesystem::path temporary)
      : options_(std::move(options)), temporary_(std::move(temporary)) {}

  /// The manifest or index as the registry has it.
  result<std::string> inspect(const std::string& source) const;
  /// Copies the image for linux/amd64 into a new directory, for read_directory(). `blob` is called
  /// as each of its blobs is begun.
  result<void> copy(const std::string& source, const std::filesystem::path& directory,
                    const std::function<void()>& blob) const;

 private:
  std::vector<std::string> start(std::string command) const;

  ImageOptions options_;
  std::filesystem::path temporary_;
};

}  // namespace capsa::image
