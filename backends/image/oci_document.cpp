#include <backends/image/digest.hpp>
#include <backends/image/oci_document.hpp>
#include <backends/image/printable.hpp>
#include <nlohmann/json.hpp>

namespace capsa::image {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxEntries = 1000;
constexpr std::size_t kMaxText = 4096;

error invalid(std::string_view what, std::string_view why) {
  return {ErrorCode::InvalidConfig, std::string(what) + ": " + std::string(why)};
}

/// Null where there is none, or where the object is none.
const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(key);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

/// Empty where there is none, or nothing that could be meant.
std::string text_of(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr || !value->is_string()) return {};
  const auto& text = value->get_ref<const std::string&>();
  return text.size() > kMaxText || text.find('\0') != std::string::npos ? std::string() : text;
}

result<Descriptor> descriptor(std::string_view what, const Json& object) {
  Descriptor out;
  out.media_type = text_of(object, "mediaType");
  out.digest = text_of(object, "digest");
  if (auto checked = check_digest(what, out.digest); !checked) return checked.error();
  const Json* size = find(object, "size");
  if (size == nullptr || !size->is_number_unsigned())
    return invalid(what, "a descriptor has no size");
  out.size = size->get<std::uint64_t>();
  return out;
}

bool is_layer(std::string_view type) {
  for (const std::string_view known :
       {"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd"}) {
    if (type == known) return true;
  }
  return false;
}

result<Manifest> read_manifest(std::string_view what, const Json& config, const Json& layers) {
  Manifest manifest;
  auto own = descriptor(what, config);
  if (!own) return own.error();
  manifest.config = *std::move(own);
  if (!layers.is_array() || layers.empty()) return invalid(what, "it has no layers");
  if (layers.size() > kMaxLayers)
    return error(ErrorCode::UnsupportedFeature,
                 std::string(what) + ": it has " + std::to_string(layers.size()) +
                     " layers, at most " + std::to_string(kMaxLayers) + " are supported",
                 "squash some of them");
  for (const Json& one : layers) {
    auto layer = descriptor(what, one);
    if (!layer) return layer.error();
    if (!is_layer(layer->media_type))
      return error(ErrorCode::UnsupportedFeature,
                   "layer " + layer->digest + ": layers of the type \"" +
                       printable(layer->media_type) + "\" are not supported",
                   "layers are plain, gzip or zstd tar archives of the image itself");
    manifest.layers.push_back(*std::move(layer));
  }
  return manifest;
}

result<Index> read_index(std::string_view what, const Json& entries) {
  Index index;
  if (!entries.is_array() || entries.size() > kMaxEntries)
    return invalid(what, "its list of manifests is none, or too long");
  for (const Json& one : entries) {
    auto own = descriptor(what, one);
    if (!own) return own.error();
    Index::Entry entry;
    entry.descriptor = *std::move(own);
    if (const Json* platform = find(one, "platform")) {
      entry.os = text_of(*platform, "os");
      entry.architecture = text_of(*platform, "architecture");
    }
    if (const Json* notes = find(one, "annotations"))
      entry.name = text_of(*notes, "org.opencontainers.image.ref.name");
    index.entries.push_back(std::move(entry));
  }
  return index;
}

}  // namespace

result<std::variant<Index, Manifest>> parse_manifest(std::string_view what, std::string_view text) {
  using Outcome = std::variant<Index, Manifest>;
  const Json json = text.size() > kMaxManifest ? Json(Json::value_t::discarded)
                                               : Json::parse(text, nullptr, false);
  if (!json.is_object()) return invalid(what, "it is no manifest: not a JSON object, or too long");
  const Json* version = find(json, "schemaVersion");
  if (version != nullptr && *version == 1)
    return error(ErrorCode::UnsupportedFeature,
                 std::string(what) + ": it is in Docker's format of before 2016 (schema 1)",
                 "push it again with a newer program");
  const Json* entries = find(json, "manifests");
  const Json* config = find(json, "config");
  const Json* layers = find(json, "layers");
  // A document of both kinds could be one image to us and another to those who looked at it before.
  if (entries != nullptr && config == nullptr && layers == nullptr) {
    auto index = read_index(what, *entries);
    return index ? result<Outcome>(*std::move(index)) : result<Outcome>(index.error());
  }
  if (entries == nullptr && config != nullptr && layers != nullptr) {
    auto manifest = read_manifest(what, *config, *layers);
    return manifest ? result<Outcome>(*std::move(manifest)) : result<Outcome>(manifest.error());
  }
  return invalid(what, "it is no manifest: it needs a config and layers, or manifests");
}

result<Descriptor> choose_platform(std::string_view what, const Index& index) {
  std::string offered;
  for (const auto& entry : index.entries) {
    if (entry.os == "linux" && entry.architecture == "amd64") return entry.descriptor;
    if (entry.os.empty() || entry.os == "unknown" || offered.size() > kMaxText) continue;
    offered += (offered.empty() ? "" : ", ") + printable(entry.os + "/" + entry.architecture);
  }
  // Who makes images for one machine only leaves it out.
  if (index.entries.size() == 1 && index.entries[0].os.empty()) return index.entries[0].descriptor;
  return error(ErrorCode::UnsupportedFeature,
               std::string(what) + ": there is no image for linux/amd64",
               offered.empty() ? "" : "there are: " + offered);
}

result<Descriptor> choose_name(std::string_view what, const Index& index, std::string_view name) {
  std::string offered;
  for (const auto& entry : index.entries) {
    if (!name.empty() && entry.name == name) return entry.descriptor;
    if (!entry.name.empty() && offered.size() < kMaxText)
      offered += (offered.empty() ? "" : ", ") + printable(entry.name);
  }
  if (name.empty() && index.entries.size() == 1) return index.entries[0].descriptor;
  if (index.entries.empty()) return error(ErrorCode::NotFound, std::string(what) + " has no image");
  return error(ErrorCode::NotFound,
               std::string(what) +
                   (name.empty() ? " has several images" : " has no image " + std::string(name)),
               offered.empty() ? "" : "name one of: " + offered);
}

}  // namespace capsa::image
