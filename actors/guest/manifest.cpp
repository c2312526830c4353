#include <actors/guest/manifest.hpp>
#include <nlohmann/json.hpp>

namespace capsa::guest {
namespace {

constexpr int kFormat = 1;

template <class T>
bool take(const nlohmann::json& object, const char* key, T& out) {
  const auto it = object.find(key);
  if (it == object.end()) return false;
  if constexpr (std::is_same_v<T, bool>) {
    if (!it->is_boolean()) return false;
  } else if constexpr (std::is_integral_v<T>) {
    if (!it->is_number_integer()) return false;
  } else {
    if (!it->is_string()) return false;
  }
  out = it->template get<T>();
  return true;
}

}  // namespace

std::string format_manifest(const Manifest& manifest) {
  const nlohmann::json object = {
      {"format", kFormat},
      {"kind", manifest.tuned ? "tuned" : "stock"},
      {"kernel_version", manifest.kernel_version},
      {"command_line", manifest.command_line},
      {"acpi", manifest.acpi},
      {"agent", manifest.agent_key},
      {"created", manifest.created},
  };
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

result<Manifest> parse_manifest(std::string_view text) {
  const auto object = nlohmann::json::parse(text, nullptr, false);
  if (!object.is_object())
    return error(ErrorCode::InvalidConfig, "the guest's manifest is not a JSON object");
  int format = 0;
  if (!take(object, "format", format) || format != kFormat)
    return error(ErrorCode::InvalidConfig, "the guest's manifest has another format");
  Manifest manifest;
  std::string kind;
  if (!take(object, "kind", kind) || (kind != "tuned" && kind != "stock") ||
      !take(object, "kernel_version", manifest.kernel_version) ||
      !take(object, "command_line", manifest.command_line) ||
      !take(object, "acpi", manifest.acpi) || !take(object, "agent", manifest.agent_key) ||
      !take(object, "created", manifest.created))
    return error(ErrorCode::InvalidConfig, "the guest's manifest lacks a field");
  manifest.tuned = kind == "tuned";
  return manifest;
}

}  // namespace capsa::guest
