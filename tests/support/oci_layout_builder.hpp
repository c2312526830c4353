#pragma once

#include <backends/image/digest.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace capsa::tests {

/// Writes images in the OCI layout, bad ones too: what is said here goes into the documents.
class OciLayoutBuilder {
 public:
  struct Layer {
    std::string tar;
    std::string packed = {};  ///< empty: the archive itself
    std::string digest = {};  ///< empty: the right one
    std::string diff_id = {};
    std::string type = "application/vnd.oci.image.layer.v1.tar";
  };
  struct Image {
    std::vector<Layer> layers;
    std::string config = "{}";  ///< JSON: Entrypoint, Cmd, Env, …
    std::string architecture = "amd64";
    std::string name = {};  ///< in the index
  };

  explicit OciLayoutBuilder(std::filesystem::path directory) : directory_(std::move(directory)) {
    std::filesystem::create_directories(directory_ / "blobs/sha256");
    write("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  }

  /// Adds an image; gives the digest of its manifest.
  std::string add(const Image& image) {
    std::string layers;
    std::string ids;
    for (const auto& one : image.layers) {
      const auto& packed = one.packed.empty() ? one.tar : one.packed;
      const auto real = blob(packed);
      const auto comma = layers.empty() ? "" : ",";
      layers += comma + descriptor(one.type, one.digest.empty() ? real : one.digest, packed.size());
      ids += comma + ('"' + (one.diff_id.empty() ? image::sha256(one.tar) : one.diff_id) + '"');
    }
    const std::string config = R"({"os":"linux","architecture":")" + image.architecture +
                               R"(","config":)" + image.config +
                               R"(,"rootfs":{"type":"layers","diff_ids":[)" + ids + "]}}";
    const std::string manifest =
        R"({"schemaVersion":2,"config":)" +
        descriptor("application/vnd.oci.image.config.v1+json", blob(config), config.size()) +
        R"(,"layers":[)" + layers + "]}";
    const auto digest = blob(manifest);
    std::string entry =
        descriptor("application/vnd.oci.image.manifest.v1+json", digest, manifest.size());
    entry.pop_back();
    if (!image.name.empty())
      entry += R"(,"annotations":{"org.opencontainers.image.ref.name":")" + image.name + "\"}";
    entries_ += (entries_.empty() ? "" : ",") + entry + "}";
    write("index.json", R"({"schemaVersion":2,"manifests":[)" + entries_ + "]}");
    return digest;
  }

  std::string blob(const std::string& content) {
    const auto digest = image::sha256(content);
    write("blobs/sha256/" + image::hex_of(digest), content);
    return digest;
  }
  void write(const std::string& name, const std::string& content) {
    std::ofstream(directory_ / name, std::ios::binary) << content;
  }
  const std::filesystem::path& directory() const { return directory_; }
  std::string reference() const { return "oci:" + directory_.string(); }

  static std::string descriptor(const std::string& type, const std::string& digest,
                                std::size_t size) {
    return R"({"mediaType":")" + type + R"(","digest":")" + digest + R"(","size":)" +
           std::to_string(size) + "}";
  }

 private:
  std::filesystem::path directory_;
  std::string entries_;
};

}  // namespace capsa::tests
