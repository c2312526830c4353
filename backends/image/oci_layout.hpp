#pragma once

#include <backends/image/layer.hpp>
#include <backends/image/oci_document.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::image {

/// An image within a layout: everything but its layers has been read and agrees with its digests.
struct LayoutImage {
  std::string digest;  ///< of the manifest
  ImageConfig config;
  std::vector<LayerBlob> layers;  ///< lowest first; not looked at yet
};

/// Reads the image of a directory in the OCI layout (image-layout.md of the specification), as
/// skopeo, umoci and buildah write it. `name` as in choose_name(). NotFound, InvalidConfig,
/// UnsupportedFeature.
result<LayoutImage> read_layout(const std::filesystem::path& directory, std::string_view name);

/// The same for the only image of a directory as skopeo writes it for "dir:": manifest.json, and
/// every blob in a file of its digest. Nothing in it was rewritten, as skopeo does it for an OCI
/// layout with Docker's manifests and configurations: it has the digests that the registry has.
result<LayoutImage> read_directory(const std::filesystem::path& directory);

}  // namespace capsa::image
