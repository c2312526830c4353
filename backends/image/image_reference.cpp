#include <algorithm>
#include <backends/image/digest.hpp>
#include <backends/image/image_reference.hpp>
#include <backends/image/printable.hpp>

namespace capsa::image {
namespace {

constexpr std::size_t kMostText = 4096;
constexpr std::size_t kMostName = 255;  // as registries have it
constexpr std::size_t kMostTag = 128;

error refused(std::string_view text, std::string_view why) {
  return {ErrorCode::InvalidConfig, "image \"" + printable(text, 200) + "\": " + std::string(why),
          "write e.g. python:3.11, ghcr.io/owner/name@sha256:DIGEST or oci:DIRECTORY"};
}

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_word(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Letters and digits, with ".", "_", "__" or any number of "-" between them.
bool is_path_part(std::string_view part) {
  if (part.empty() || !is_lower_or_digit(part.front()) || !is_lower_or_digit(part.back()))
    return false;
  for (std::size_t i = 0; i < part.size();) {
    const auto end =
        std::find_if(part.begin() + static_cast<std::ptrdiff_t>(i), part.end(), is_lower_or_digit);
    const auto between = part.substr(i, static_cast<std::size_t>(end - part.begin()) - i);
    const bool fine = between.empty() || between == "." || between == "_" || between == "__" ||
                      between.find_first_not_of('-') == std::string_view::npos;
    if (!fine) return false;
    i += between.size() + 1;
  }
  return true;
}

bool is_host(std::string_view host) {
  const auto colon = host.find(':');
  const auto name = host.substr(0, colon);
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return is_word(c) || c == '.' || c == '-';
  });
  if (!plain || name.front() == '-' || name.front() == '.') return false;
  if (colon == std::string_view::npos) return true;
  const auto port = host.substr(colon + 1);
  return !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kMostTag && is_word(tag.front()) &&
         std::all_of(tag.begin(), tag.end(),
                     [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

result<ImageReference> parse_registry(std::string_view whole, std::string_view text) {
  ImageReference reference;
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    reference.digest = text.substr(at + 1);
    text = text.substr(0, at);
    if (auto checked = check_digest("image " + std::string(text), reference.digest); !checked)
      return checked.error();
  }
  const auto slash = text.rfind('/');
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    reference.tag = text.substr(colon + 1);
    text = text.substr(0, colon);
    if (!is_tag(reference.tag)) return refused(whole, "its tag is not one");
  } else if (reference.digest.empty()) {
    reference.tag = "latest";
  }
  // A first part is a host where no repository could have such a name.
  std::string host = "docker.io";
  if (const auto end = text.find('/'); end != std::string_view::npos) {
    const auto first = text.substr(0, end);
    const bool upper =
        std::any_of(first.begin(), first.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (first.find_first_of(".:") != std::string_view::npos || first == "localhost" || upper) {
      host = first;
      text.remove_prefix(end + 1);
    }
  }
  if (host == "index.docker.io") host = "docker.io";
  if (!is_host(host)) return refused(whole, "its host is not one");
  std::string path(text);
  if (host == "docker.io" && path.find('/') == std::string::npos) path = "library/" + path;
  if (path.empty() || host.size() + 1 + path.size() > kMostName)
    return refused(whole, "its name is empty or too long");
  for (std::string_view rest = path; !rest.empty();) {
    const auto end = rest.find('/');
    if (!is_path_part(rest.substr(0, end)) || end + 1 == rest.size())
      return refused(whole, "its name may have lower-case letters, digits, and . _ - between them");
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  reference.name = host + "/" + path;
  reference.canonical = reference.name;
  if (!reference.tag.empty()) reference.canonical += ":" + reference.tag;
  if (!reference.digest.empty()) reference.canonical += "@" + reference.digest;
  return reference;
}

result<ImageReference> parse_local(ImageReference::Kind kind, std::string_view whole,
                                   std::string_view prefix) {
  const auto text = whole.substr(prefix.size());
  ImageReference reference;
  reference.kind = kind;
  // As skopeo reads it: a path has no colon.
  const auto colon = text.find(':');
  if (text.empty() || colon == 0) return refused(whole, "it names no path");
  std::error_code failed;
  reference.path =
      std::filesystem::absolute(std::string(text.substr(0, colon)), failed).lexically_normal();
  if (failed) return error_from_errno(failed.value(), "find " + std::string(text));
  if (colon != std::string_view::npos) reference.tag = text.substr(colon + 1);
  if (colon != std::string_view::npos && reference.tag.empty())
    return refused(whole, "its tag is empty");
  // It becomes an argument of a program and a value in a file.
  const auto plain = [](char c) { return c > ' ' && c < 0x7f; };
  if (!std::all_of(reference.tag.begin(), reference.tag.end(), plain) ||
      reference.path.string().find(':') != std::string::npos)
    return refused(whole, "its path or tag has characters that cannot be used");
  reference.canonical = std::string(prefix) + reference.path.string();
  if (!reference.tag.empty()) reference.canonical += ":" + reference.tag;
  return reference;
}

}  // namespace

result<ImageReference> parse_image_reference(std::string_view text) {
  using Kind = ImageReference::Kind;
  if (text.size() > kMostText || text.find('\0') != std::string_view::npos)
    return refused(text, "it is too long, or holds a NUL");
  for (const auto& [prefix, kind] : {std::pair<std::string_view, Kind>{"oci:", Kind::OciDirectory},
                                     {"oci-archive:", Kind::OciArchive},
                                     {"docker-archive:", Kind::DockerArchive}}) {
    if (text.starts_with(prefix)) return parse_local(kind, text, prefix);
  }
  constexpr std::string_view kDocker = "docker://";
  return parse_registry(text, text.starts_with(kDocker) ? text.substr(kDocker.size()) : text);
}

std::string skopeo_source(const ImageReference& reference, std::string_view digest) {
  if (reference.kind != ImageReference::Kind::Registry) return reference.canonical;
  // It takes a tag or a digest, and not both.
  std::string text = "docker://" + reference.name;
  if (digest.empty()) digest = reference.digest;
  return digest.empty() ? text + ":" + reference.tag : text + "@" + std::string(digest);
}

}  // namespace capsa::image
