#include <backends/image/skopeo.hpp>
#include <backends/program/program.hpp>

namespace capsa::image {
namespace {

/// What is meant in a line of its log: time="…" level=fatal msg="…".
std::string message_of(const std::string& line) {
  constexpr std::string_view kBegin = "msg=\"";
  const auto begin = line.find(kBegin);
  const auto end = line.rfind('"');
  if (begin == std::string::npos || end <= begin + kBegin.size()) return line;
  std::string out;
  for (std::size_t i = begin + kBegin.size(); i < end; ++i)
    if (line[i] != '\\' || i + 1 == end || line[i + 1] != '"') out += line[i];
  return "skopeo: " + out;
}

/// The error of a pull, told by what skopeo says: for the caller, whether to try again.
error failed(const error& what, const std::string& source) {
  if (what.code() == ErrorCode::NotFound) return what;  // skopeo itself
  const std::string text = message_of(what.message());
  const auto has = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  const std::string message = "image " + source + ": " + text;
  if (has("manifest unknown") || has("name unknown") || has("no such file"))
    return {ErrorCode::NotFound, message, "check the name and the tag"};
  if (has("unauthorized") || has("authentication required") || has("access to the resource"))
    return {ErrorCode::PermissionDenied, message,
            "log in with `skopeo login`, or name a file of credentials; or there is no such image"};
  if (has("server gave HTTP response to HTTPS client") || has("x509:"))
    return {ErrorCode::IoError, message,
            "where the registry is to be trusted without a certificate, say insecure"};
  return {ErrorCode::IoError, message};
}

}  // namespace

std::vector<std::string> Skopeo::start(std::string command) const {
  return {"skopeo", std::move(command), "--override-os", "linux", "--override-arch",
          "amd64",  "--tmpdir",         temporary_};
}

result<std::string> Skopeo::inspect(const std::string& source) const {
  auto words = start("inspect");
  words.emplace_back("--raw");
  if (!options_.auth_file.empty())
    words.insert(words.end(), {"--authfile", options_.auth_file.string()});
  if (options_.insecure) words.emplace_back("--tls-verify=false");
  words.push_back(source);
  auto text = program::run({.words = std::move(words), .package = "skopeo"});
  if (!text) return failed(text.error(), source);
  return text;
}

result<void> Skopeo::copy(const std::string& source, const std::filesystem::path& directory,
                          const std::function<void()>& blob) const {
  auto words = start("copy");
  if (!options_.auth_file.empty())
    words.insert(words.end(), {"--src-authfile", options_.auth_file.string()});
  if (options_.insecure) words.emplace_back("--src-tls-verify=false");
  words.insert(words.end(), {source, "dir:" + directory.string()});
  const auto line = [&](std::string_view text) {
    if (text.starts_with("Copying blob ") && blob) blob();
  };
  auto done = program::run({.words = std::move(words), .line = line, .package = "skopeo"});
  if (!done) return failed(done.error(), source);
  return {};
}

}  // namespace capsa::image
