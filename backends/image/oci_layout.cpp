#include <backends/image/digest.hpp>
#include <backends/image/files.hpp>
#include <backends/image/oci_layout.hpp>

namespace capsa::image {
namespace {

namespace fs = std::filesystem;

/// Where the blobs are, each by the digits of its digest, which was checked to be one and cannot
/// lead elsewhere.
struct Blobs {
  fs::path directory;

  fs::path path(std::string_view digest) const { return directory / hex_of(digest); }
  result<std::string> read(const Descriptor& wanted, std::size_t most) const {
    const auto file = path(wanted.digest);
    auto text = read_file(file, most);
    if (!text) return text.error();
    if (text->size() != wanted.size || sha256(*text) != wanted.digest)
      return error(ErrorCode::InvalidConfig,
                   file.string() + ": its content is not what its name says");
    return text;
  }
};

/// From an entry of the layout's index to the manifest for this machine.
result<std::pair<std::string, Manifest>> find_manifest(const Blobs& blobs, Descriptor wanted) {
  // An index may lead to another index, and that to a manifest.
  constexpr int kDeepest = 3;
  for (int depth = 0; depth < kDeepest; ++depth) {
    const auto text = blobs.read(wanted, kMaxManifest);
    if (!text) return text.error();
    const std::string what = "manifest " + wanted.digest;
    auto document = parse_manifest(what, *text);
    if (!document) return document.error();
    if (auto* manifest = std::get_if<Manifest>(&*document))
      return std::pair(wanted.digest, std::move(*manifest));
    auto chosen = choose_platform(what, std::get<Index>(*document));
    if (!chosen) return chosen.error();
    wanted = *std::move(chosen);
  }
  return error(ErrorCode::InvalidConfig, blobs.directory.string() + ": the indexes lead nowhere");
}

/// The configuration, and with it what the layers must be.
result<LayoutImage> complete(const Blobs& blobs, std::string digest, const Manifest& manifest) {
  const std::string what = "configuration " + manifest.config.digest;
  const auto text = blobs.read(manifest.config, kMaxConfig);
  if (!text) return text.error();
  auto config = parse_config(what, *text);
  if (!config) return config.error();
  if (config->diff_ids.size() != manifest.layers.size())
    return error(ErrorCode::InvalidConfig, what + ": it has " +
                                               std::to_string(config->diff_ids.size()) +
                                               " diff_ids, and the manifest " +
                                               std::to_string(manifest.layers.size()) + " layers");
  LayoutImage image;
  image.digest = std::move(digest);
  image.config = std::move(config->config);
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    const Descriptor& layer = manifest.layers[i];
    image.layers.push_back(
        {blobs.path(layer.digest), layer.digest, layer.size, config->diff_ids[i]});
  }
  return image;
}

}  // namespace

result<LayoutImage> read_layout(const fs::path& directory, std::string_view name) {
  const auto file = directory / "index.json";
  const auto text = read_file(file, kMaxManifest);
  if (!text)
    return error(text.error().code(), text.error().message(),
                 "an OCI layout has it: make one with `skopeo copy SOURCE oci:DIRECTORY`");
  auto document = parse_manifest(file.string(), *text);
  if (!document) return document.error();
  const auto* index = std::get_if<Index>(&*document);
  if (index == nullptr) return error(ErrorCode::InvalidConfig, file.string() + ": it is no index");
  const auto entry = choose_name(directory.string(), *index, name);
  if (!entry) return entry.error();
  const Blobs blobs{directory / "blobs" / "sha256"};
  auto found = find_manifest(blobs, *entry);
  if (!found) return found.error();
  return complete(blobs, std::move(found->first), found->second);
}

result<LayoutImage> read_directory(const fs::path& directory) {
  const auto text = read_file(directory / "manifest.json", kMaxManifest);
  if (!text) return text.error();
  const auto digest = sha256(*text);
  const auto document = parse_manifest("manifest " + digest, *text);
  if (!document) return document.error();
  const auto* manifest = std::get_if<Manifest>(&*document);
  if (manifest == nullptr)
    return error(ErrorCode::InvalidConfig, "manifest " + digest + ": it is an index");
  return complete({directory}, digest, *manifest);
}

}  // namespace capsa::image
