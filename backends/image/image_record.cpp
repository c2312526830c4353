#include <backends/image/digest.hpp>
#include <backends/image/image_record.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace capsa::image {
namespace {

using Json = nlohmann::json;
using std::chrono::seconds;
using std::chrono::system_clock;

constexpr std::uint64_t kFormat = 1;
// What a clock of nanoseconds can tell: until the year 2262.
constexpr std::uint64_t kLatest = std::numeric_limits<std::int64_t>::max() / 1'000'000'000;

error damaged(std::string_view why) {
  return {ErrorCode::InvalidConfig, "the record of an image is damaged: " + std::string(why)};
}

/// None where it is no whole number up to `most`: the library would convert whatever there is.
std::optional<std::uint64_t> number(const Json& object, const char* key, std::uint64_t most) {
  const Json& value = object.at(key);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) return std::nullopt;
  return value.get<std::uint64_t>();
}

}  // namespace

std::string format_record(const Image& image) {
  Json layers = Json::array();
  for (const auto& one : image.layers)
    layers.push_back({{"diff_id", one.diff_id}, {"bytes", one.bytes}});
  const ImageConfig& config = image.config;
  const Json json = {
      {"format", kFormat},
      {"reference", image.reference},
      {"digest", image.digest},
      {"pulled", std::chrono::duration_cast<seconds>(image.pulled.time_since_epoch()).count()},
      {"layers", std::move(layers)},
      {"config",
       {{"entrypoint", config.entrypoint},
        {"command", config.command},
        {"environment", config.environment},
        {"user", config.user},
        {"working_dir", config.working_dir},
        {"volumes", config.volumes},
        {"stop_signal", config.stop_signal}}},
  };
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

result<Image> parse_record(std::string_view text, const std::filesystem::path& layers) {
  // We wrote it; but a disk may be damaged, and a later version may write another format.
  try {
    const Json json = Json::parse(text);
    Image image;
    if (number(json, "format", kFormat) != kFormat)
      return error(ErrorCode::InvalidConfig, "the record of an image has another format");
    image.reference = json.at("reference").get<std::string>();
    image.digest = json.at("digest").get<std::string>();
    const auto pulled = number(json, "pulled", kLatest);
    if (!pulled) return damaged("when it was pulled is no time");
    image.pulled = system_clock::time_point(seconds(*pulled));
    for (const Json& one : json.at("layers")) {
      ImageLayer layer;
      layer.diff_id = one.at("diff_id").get<std::string>();
      if (auto checked = check_digest("the record of an image", layer.diff_id); !checked)
        return checked.error();
      const auto bytes = number(one, "bytes", std::numeric_limits<std::uint64_t>::max());
      if (!bytes) return damaged("the size of a layer is none");
      layer.bytes = *bytes;
      layer.file_system = layer_file(layers, layer.diff_id);
      image.layers.push_back(std::move(layer));
    }
    const Json& config = json.at("config");
    config.at("entrypoint").get_to(image.config.entrypoint);
    config.at("command").get_to(image.config.command);
    config.at("environment").get_to(image.config.environment);
    config.at("user").get_to(image.config.user);
    config.at("working_dir").get_to(image.config.working_dir);
    config.at("volumes").get_to(image.config.volumes);
    config.at("stop_signal").get_to(image.config.stop_signal);
    return image;
  } catch (const Json::exception& e) {
    return damaged(e.what());
  }
}

std::filesystem::path layer_file(const std::filesystem::path& layers, std::string_view diff_id) {
  return layers / (hex_of(diff_id) + ".erofs");
}

}  // namespace capsa::image
