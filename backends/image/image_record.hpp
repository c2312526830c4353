#pragma once

#include <capsa/image.hpp>
#include <filesystem>
#include <string>
#include <string_view>

namespace capsa::image {

/// An image as the cache remembers it: JSON, with its layers by diff id.
std::string format_record(const Image& image);
/// `layers` is where the cache keeps them. InvalidConfig where it is not what format_record()
/// writes; whether the layers are there is not looked at.
result<Image> parse_record(std::string_view text, const std::filesystem::path& layers);

/// The file of a layer.
std::filesystem::path layer_file(const std::filesystem::path& layers, std::string_view diff_id);

}  // namespace capsa::image
