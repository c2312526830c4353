#pragma once

#include <capsa/image.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The JSON documents of an image: OCI Image Format Specification 1.0 (manifest.md, image-index.md,
// config.md), and Docker's schema 2, from which that came. Whoever made them is not trusted.

namespace capsa::image {

/// More layers do not fit on one disk of partitions in the guest.
inline constexpr std::size_t kMaxLayers = 120;
/// Of a manifest or index: what registries take. Of a configuration, which has a history in it.
inline constexpr std::size_t kMaxManifest = std::size_t{4} << 20;
inline constexpr std::size_t kMaxConfig = std::size_t{8} << 20;

/// Content by its digest, which was checked to be one.
struct Descriptor {
  std::string media_type;
  std::string digest;
  std::uint64_t size = 0;
};

struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;  ///< lowest first
};

struct Index {
  struct Entry {
    Descriptor descriptor;
    std::string os;            ///< empty where nothing is said
    std::string architecture;  ///< empty where nothing is said
    std::string name;          ///< org.opencontainers.image.ref.name, or empty
  };
  std::vector<Entry> entries;
};

/// Whichever of the two it is. InvalidConfig; UnsupportedFeature for Docker's schema 1, and for
/// layers that are encrypted or kept elsewhere. `what` is named.
result<std::variant<Index, Manifest>> parse_manifest(std::string_view what, std::string_view text);

/// The image for linux/amd64 among those of other machines.
result<Descriptor> choose_platform(std::string_view what, const Index& index);
/// The entry of this name; without one the only entry there is.
result<Descriptor> choose_name(std::string_view what, const Index& index, std::string_view name);

struct ConfigDocument {
  ImageConfig config;
  std::vector<std::string> diff_ids;  ///< lowest first
};

/// UnsupportedFeature where it is for another machine than linux/amd64.
result<ConfigDocument> parse_config(std::string_view what, std::string_view text);

}  // namespace capsa::image
