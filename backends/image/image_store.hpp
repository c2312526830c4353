#pragma once

#include <backends/image/image_reference.hpp>
#include <backends/image/limits.hpp>
#include <backends/image/oci_layout.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/image.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace capsa::image {

// The cache of images, below its root:
//   images/KEY.json      an image by the digest of its reference: see image_record.hpp
//   layers/HEX.erofs     a layer by its diff id, whichever images have it
//   .lock                shared by who pulls, for one alone who removes
//   .new-XXXXXX/         being made, or left by a crash
// Everything is made in a directory of its own and renamed into place: it is there whole or not.

using PullProgress = std::function<void(const ImageProgress&)>;

/// ImageCache, without the question where it lies.
class ImageStore {
 public:
  explicit ImageStore(std::filesystem::path root, LayerLimits limits = {})
      : root_(std::move(root)), limits_(limits) {}

  result<Image> pull(const OciImage& image, const PullProgress& progress) const;
  result<std::vector<Image>> list() const;
  result<void> remove(const std::string& reference) const;
  result<std::uint64_t> prune() const;

  /// A whole image by its canonical reference; none where something of it is missing or damaged.
  std::optional<Image> find(const std::string& canonical) const;

 private:
  std::filesystem::path images() const { return root_ / "images"; }
  std::filesystem::path layers() const { return root_ / "layers"; }
  std::filesystem::path record_file(const std::string& canonical) const;
  std::optional<Image> read_record(const std::filesystem::path& file) const;
  result<UniqueFd> lock_for_pulling() const;
  result<UniqueFd> lock_alone() const;
  void remove_unfinished() const;

  result<Image> pull_registry(const ImageReference& reference, const ImageOptions& options,
                              const PullProgress& progress) const;
  result<Image> pull_layout(const ImageReference& reference, const LayoutImage& layout,
                            const std::filesystem::path& workshop,
                            const PullProgress& progress) const;
  result<void> publish(const Image& image, const std::filesystem::path& workshop) const;

  std::filesystem::path root_;
  LayerLimits limits_;
};

}  // namespace capsa::image
