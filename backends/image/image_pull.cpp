#include <algorithm>
#include <backends/image/digest.hpp>
#include <backends/image/files.hpp>
#include <backends/image/image_record.hpp>
#include <backends/image/image_store.hpp>
#include <backends/image/skopeo.hpp>

namespace capsa::image {
namespace {

namespace fs = std::filesystem;

/// What a reference of a registry leads to at this moment.
struct Resolved {
  std::string digest;  ///< of the manifest for this machine
  Manifest manifest;
};

/// A manifest or index of the registry, and its digest. `pinned`, where given, must be that.
result<std::pair<std::string, std::variant<Index, Manifest>>> fetch_manifest(
    const Skopeo& skopeo, const std::string& source, const std::string& pinned) {
  const auto text = skopeo.inspect(source);
  if (!text) return text.error();
  const auto digest = sha256(*text);
  if (!pinned.empty() && digest != pinned)
    return error(ErrorCode::InvalidConfig,
                 "image " + source + ": the registry gave another manifest, " + digest);
  auto document = parse_manifest("image " + source, *text);
  if (!document) return document.error();
  return std::pair(digest, *std::move(document));
}

result<Resolved> resolve(const Skopeo& skopeo, const ImageReference& reference) {
  auto first = fetch_manifest(skopeo, skopeo_source(reference), reference.digest);
  if (!first) return first.error();
  if (auto* manifest = std::get_if<Manifest>(&first->second))
    return Resolved{first->first, std::move(*manifest)};
  const std::string what = "image " + reference.canonical;
  const auto chosen = choose_platform(what, std::get<Index>(first->second));
  if (!chosen) return chosen.error();
  auto second = fetch_manifest(skopeo, skopeo_source(reference, chosen->digest), chosen->digest);
  if (!second) return second.error();
  if (auto* manifest = std::get_if<Manifest>(&second->second))
    return Resolved{second->first, std::move(*manifest)};
  return error(ErrorCode::InvalidConfig, what + ": its index leads to another index");
}

std::uint64_t bytes_of(const std::vector<Descriptor>& layers) {
  std::uint64_t sum = 0;
  for (const auto& one : layers)
    sum += std::min(one.size, UINT64_MAX - sum);
  return sum;
}

/// As exactly as it is written down.
std::chrono::system_clock::time_point now() {
  using std::chrono::system_clock;
  return std::chrono::time_point_cast<std::chrono::seconds>(system_clock::now());
}

}  // namespace

result<Image> ImageStore::pull(const OciImage& wanted, const PullProgress& progress) const {
  const auto reference = parse_image_reference(wanted.reference);
  if (!reference) return reference.error();
  const ImageOptions& options = wanted.options;
  // A digest names one image for ever: there is nothing to ask.
  const bool ask = options.pull == PullPolicy::Always && reference->digest.empty();
  if (!ask) {
    if (auto cached = find(reference->canonical)) return *std::move(cached);
  }
  if (options.pull == PullPolicy::Never)
    return error(ErrorCode::NotFound,
                 "the image " + reference->canonical + " is not in the cache, and not to be pulled",
                 "pull it with `capsa image pull`");
  const auto lock = lock_for_pulling();
  if (!lock) return lock.error();
  if (reference->kind == ImageReference::Kind::Registry)
    return pull_registry(*reference, options, progress);

  const auto workshop = Workshop::create(root_);
  if (!workshop) return workshop.error();
  const bool copies = reference->kind != ImageReference::Kind::OciDirectory;
  const auto directory = workshop->path() / "copy";
  if (copies) {
    if (progress) progress({});
    const Skopeo skopeo(options, workshop->path());
    if (auto done = skopeo.copy(skopeo_source(*reference), directory, {}); !done)
      return done.error();
  }
  const auto layout =
      copies ? read_directory(directory) : read_layout(reference->path, reference->tag);
  if (!layout) return layout.error();
  return pull_layout(*reference, *layout, workshop->path(), progress);
}

result<Image> ImageStore::pull_registry(const ImageReference& reference,
                                        const ImageOptions& options,
                                        const PullProgress& progress) const {
  const auto workshop = Workshop::create(root_);
  if (!workshop) return workshop.error();
  const Skopeo skopeo(options, workshop->path());
  if (progress) progress({});
  const auto resolved = resolve(skopeo, reference);
  if (!resolved) return resolved.error();
  // By another name it may be here already.
  auto all = list();
  if (!all) return all.error();
  for (auto& one : *all) {
    if (one.digest != resolved->digest) continue;
    one.reference = reference.canonical;
    one.pulled = now();
    if (auto done = publish(one, workshop->path()); !done) return done.error();
    return std::move(one);
  }

  const auto& layers = resolved->manifest.layers;
  ImageProgress at = {.layers = layers.size(), .total_bytes = bytes_of(layers)};
  std::size_t begun = 0;
  const auto blob = [&] {
    if (begun > 0 && begun < layers.size()) {
      at.layer = begun;
      at.bytes += layers[begun - 1].size;
    }
    ++begun;
    if (progress) progress(at);
  };
  // By its digest: what a tag names may have changed since it was looked at.
  const auto directory = workshop->path() / "copy";
  if (auto done = skopeo.copy(skopeo_source(reference, resolved->digest), directory, blob); !done)
    return done.error();
  const auto layout = read_directory(directory);
  if (!layout) return layout.error();
  if (layout->digest != resolved->digest)
    return error(ErrorCode::InvalidConfig, "image " + reference.canonical + ": the manifest " +
                                               layout->digest + " was fetched, and " +
                                               resolved->digest + " was asked for");
  return pull_layout(reference, *layout, workshop->path(), progress);
}

result<Image> ImageStore::pull_layout(const ImageReference& reference, const LayoutImage& layout,
                                      const fs::path& workshop,
                                      const PullProgress& progress) const {
  Image image;
  image.reference = reference.canonical;
  image.digest = layout.digest;
  image.config = layout.config;
  ImageProgress at = {.step = ImageProgress::Step::Unpacking, .layers = layout.layers.size()};
  for (const auto& blob : layout.layers) {
    const auto file = layer_file(layers(), blob.diff_id);
    at.bytes = 0;
    at.total_bytes = blob.size;
    if (progress) progress(at);
    std::error_code failed;
    auto bytes = fs::file_size(file, failed);
    if (failed) {
      const auto made = workshop / file.filename();
      auto size = unpack_layer(blob, made, limits_, [&](std::uint64_t done) {
        at.bytes = done;
        if (progress) progress(at);
      });
      if (!size)
        return error(size.error().code(),
                     "image " + reference.canonical + ": " + size.error().message(),
                     size.error().hint());
      if (auto done = rename_whole(made, file); !done) return done.error();
      bytes = *size;
    }
    image.layers.push_back({blob.diff_id, file, bytes});
    ++at.layer;
  }
  image.pulled = now();
  if (auto done = publish(image, workshop); !done) return done.error();
  if (progress) progress({.step = ImageProgress::Step::Done, .layers = layout.layers.size()});
  return image;
}

result<void> ImageStore::publish(const Image& image, const fs::path& workshop) const {
  return write_whole(workshop / "record", record_file(image.reference), format_record(image));
}

}  // namespace capsa::image
