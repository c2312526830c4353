#pragma once

#include <capsa/result.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace capsa::image {

/// Where an image comes from, and the one name under which a cache knows it however it was written.
struct ImageReference {
  enum class Kind : std::uint8_t { Registry, OciDirectory, OciArchive, DockerArchive };
  Kind kind = Kind::Registry;
  /// "docker.io/library/python:3.11", "oci:/absolute/path:tag".
  std::string canonical;
  std::string name;    ///< Registry: host and path
  std::string tag;     ///< Registry: "latest" where nothing is said; others: what to take, or empty
  std::string digest;  ///< Registry: pins the manifest; empty: none
  std::filesystem::path path;  ///< others: absolute
};

/// Reads "python:3.11", "ghcr.io/owner/name@sha256:…", "localhost:5000/name", also with
/// "docker://"; "oci:DIR[:TAG]", "oci-archive:FILE[:TAG]", "docker-archive:FILE[:REFERENCE]". Names
/// are completed as docker does it. InvalidConfig.
result<ImageReference> parse_image_reference(std::string_view text);

/// What skopeo(1) calls it; a registry's image by `digest` where one is given.
std::string skopeo_source(const ImageReference& reference, std::string_view digest = {});

}  // namespace capsa::image
