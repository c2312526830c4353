#pragma once

#include <capsa/result.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace capsa {

/// When the registry is asked.
enum class PullPolicy : std::uint8_t {
  Missing,  ///< where the cache has no image of that reference
  Always,   ///< each time, to see whether the reference names another image now
  Never,    ///< not at all: NotFound where the cache has not got it
};

/// How an image is had, and what a sandbox makes of it.
struct ImageOptions {
  PullPolicy pull = PullPolicy::Missing;  ///< with a digest Always asks no more than Missing
  /// A file of credentials, as `docker login` and `skopeo login` write them. Empty: those that
  /// skopeo finds by itself.
  std::filesystem::path auth_file;
  /// Whether a registry may answer by plain HTTP, or with a certificate that nobody vouches for.
  bool insecure = false;
  /// MiB that a sandbox may write, its volumes included, in the guest's memory. 0: half of it.
  std::uint64_t scratch_mb = 0;

  friend bool operator==(const ImageOptions&, const ImageOptions&) = default;
};

/// An image for a sandbox, by reference.
struct OciImage {
  std::string reference;  ///< as BasicSandboxBuilder::oci() takes it
  ImageOptions options;   ///< how it is had

  friend bool operator==(const OciImage&, const OciImage&) = default;
};

/// What an image says about how it wants to be run.
struct ImageConfig {
  std::vector<std::string> entrypoint;   ///< begins each command line
  std::vector<std::string> command;      ///< follows it where nothing else is asked for (CMD)
  std::vector<std::string> environment;  ///< "KEY=value"
  std::string user;                      ///< as ExecSpec::user; empty: it does not say
  std::string working_dir;               ///< empty: it does not say
  std::vector<std::string> volumes;      ///< directories
  std::string stop_signal;               ///< "SIGTERM" where it says nothing

  friend bool operator==(const ImageConfig&, const ImageConfig&) = default;
};

/// One layer, verified and turned into a read-only file system.
struct ImageLayer {
  std::string diff_id;                ///< "sha256:…" of the layer's tar archive
  std::filesystem::path file_system;  ///< EROFS
  std::uint64_t bytes = 0;            ///< of that file

  friend bool operator==(const ImageLayer&, const ImageLayer&) = default;
};

/// An image in the cache.
struct Image {
  std::string reference;                         ///< by which it was pulled
  std::string digest;                            ///< "sha256:…" of its manifest
  ImageConfig config;                            ///< what it says, and no more than that
  std::vector<ImageLayer> layers;                ///< lowest first
  std::chrono::system_clock::time_point pulled;  ///< when it came into the cache by this reference

  friend bool operator==(const Image&, const Image&) = default;
};

/// Where a pull is.
struct ImageProgress {
  /// One after the other.
  enum class Step : std::uint8_t { Downloading, Unpacking, Done };
  Step step = Step::Downloading;  ///< what is under way
  std::size_t layer = 0;          ///< of `layers`, from 0; while Unpacking
  std::size_t layers = 0;         ///< 0 while not known
  std::uint64_t bytes = 0;        ///< done; while Unpacking: of this layer
  std::uint64_t total_bytes = 0;  ///< 0 while not known
};

/// The images of a user, in a cache: `cache_dir` if given, else where guests are kept, too (see
/// guest_cache()). All of it blocks. Thread-safe, and safe beside other processes.
class ImageCache {
 public:
  /// Touches nothing yet.
  explicit ImageCache(std::optional<std::filesystem::path> cache_dir = {});

  /// The image, pulled where the options want it so, by skopeo. Every layer is checked against the
  /// digests of the image while it is read; whatever reaches out of a file system (by "..", by a
  /// link), devices, and layers that unpack to more than they may are refused with InvalidConfig
  /// naming the layer, and nothing outside of the cache is touched.
  result<Image> pull(const OciImage& image,
                     const std::function<void(const ImageProgress&)>& on_progress = {}) const;
  /// Sorted by reference.
  result<std::vector<Image>> list() const;
  /// NotFound where there is no such image. Its layers stay until prune().
  result<void> remove(const std::string& reference) const;
  /// Removes what no image refers to; gives the bytes that this freed. What a VM has open stays
  /// usable for it.
  result<std::uint64_t> prune() const;

 private:
  std::optional<std::filesystem::path> cache_dir_;
};

}  // namespace capsa
