#include <backends/image/digest.hpp>
#include <backends/image/oci_document.hpp>
#include <backends/image/printable.hpp>
#include <nlohmann/json.hpp>

namespace capsa::image {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxWords = 10'000;

/// One document on its way into values; remembers the first thing that was wrong with it.
class Reader {
 public:
  explicit Reader(std::string_view what) : what_(what) {}

  const Json* find(const Json& object, const char* key) const {
    if (!object.is_object()) return nullptr;
    const auto at = object.find(key);
    return at == object.end() || at->is_null() ? nullptr : &*at;
  }
  std::string text(const Json& object, const char* key) {
    const Json* value = find(object, key);
    if (value == nullptr) return {};
    return word(*value, key);
  }
  std::vector<std::string> words(const Json& object, const char* key) {
    std::vector<std::string> out;
    const Json* value = find(object, key);
    if (value == nullptr) return out;
    if (!value->is_array() || value->size() > kMaxWords) {
      wrong(std::string(key) + " is not a list of texts, or too long");
      return out;
    }
    for (const Json& one : *value)
      out.push_back(word(one, key));
    return out;
  }
  /// The keys of an object, for which the format has sets.
  std::vector<std::string> keys(const Json& object, const char* key) {
    std::vector<std::string> out;
    const Json* value = find(object, key);
    if (value == nullptr) return out;
    if (!value->is_object() || value->size() > kMaxWords) {
      wrong(std::string(key) + " is not an object, or too large");
      return out;
    }
    for (const auto& [name, ignored] : value->items())
      out.push_back(word(Json(name), key));
    return out;
  }
  void wrong(const std::string& why) {
    if (!failure_) failure_ = error(ErrorCode::InvalidConfig, what_ + ": " + why);
  }
  const std::optional<error>& failure() const noexcept { return failure_; }

 private:
  std::string word(const Json& value, const char* key) {
    if (!value.is_string() || value.get_ref<const std::string&>().find('\0') != std::string::npos) {
      wrong(std::string(key) + " has something that is no text");
      return {};
    }
    return value.get<std::string>();
  }

  std::string what_;
  std::optional<error> failure_;
};

/// Absolute, and without "..": a mount point in the guest's new root, and nowhere else.
bool is_inside(std::string_view path) {
  return path.starts_with('/') && path != "/" && path.find("/../") == std::string_view::npos &&
         !path.ends_with("/..");
}

}  // namespace

result<ConfigDocument> parse_config(std::string_view what, std::string_view text) {
  const Json json =
      text.size() > kMaxConfig ? Json(Json::value_t::discarded) : Json::parse(text, nullptr, false);
  Reader reader(what);
  if (!json.is_object())
    return error(ErrorCode::InvalidConfig,
                 std::string(what) + ": it is no configuration: not a JSON object, or too long");
  const auto os = reader.text(json, "os");
  const auto architecture = reader.text(json, "architecture");
  ConfigDocument out;
  if (const Json* own = reader.find(json, "config")) {
    ImageConfig& config = out.config;
    config.entrypoint = reader.words(*own, "Entrypoint");
    config.command = reader.words(*own, "Cmd");
    config.environment = reader.words(*own, "Env");
    config.user = reader.text(*own, "User");
    config.working_dir = reader.text(*own, "WorkingDir");
    config.volumes = reader.keys(*own, "Volumes");
    config.stop_signal = reader.text(*own, "StopSignal");
  }
  if (out.config.stop_signal.empty()) out.config.stop_signal = "SIGTERM";
  for (const auto& one : out.config.environment) {
    if (const auto equals = one.find('='); equals == 0 || equals == std::string::npos)
      reader.wrong("Env has \"" + printable(one) + "\", which is not KEY=value");
  }
  for (const auto& one : out.config.volumes) {
    if (!is_inside(one))
      reader.wrong("Volumes has \"" + printable(one) + "\", which is not a path in the image");
  }
  const Json* root = reader.find(json, "rootfs");
  if (root != nullptr) out.diff_ids = reader.words(*root, "diff_ids");
  for (const auto& one : out.diff_ids) {
    if (auto checked = check_digest(std::string(what) + ": diff_ids", one); !checked)
      return checked.error();
  }
  if (reader.failure()) return *reader.failure();
  if (os != "linux" || architecture != "amd64")
    return error(ErrorCode::UnsupportedFeature, std::string(what) + ": it is for " +
                                                    printable(os + "/" + architecture) +
                                                    ", and not for linux/amd64");
  return out;
}

}  // namespace capsa::image
