#include <sys/stat.h>
#include <unistd.h>

#include <actors/values/text.hpp>
#include <actors/values/validate_parts.hpp>
#include <algorithm>
#include <array>
#include <climits>

namespace capsa::values {
namespace {

using text::quote;

result<void> validate_host_path(const std::string& field, const std::filesystem::path& path) {
  const std::string hint = "give the path of a directory of the host";
  if (path.empty()) return refused(field, "the host path is empty", hint);
  const std::string given = quote(path.native());
  if (path.native().find('\0') != std::string::npos)
    return refused(field, "the host path " + given + " holds a NUL byte", hint);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return refused(field, "the host path " + given + ": " + std::generic_category().message(errno),
                   hint);
  }
  if (!S_ISDIR(info.st_mode))
    return refused(field, "the host path " + given + " is not a directory", hint);
  if (::access(path.c_str(), R_OK | X_OK) != 0) {
    return refused(field, "the host path " + given + " is closed to this program",
                   "let it read and enter the directory");
  }
  return {};
}

result<void> validate_tag(const std::string& field, const std::string& tag) {
  if (tag.empty()) {
    return refused(field, "the tag is empty; 1 to 36 bytes are allowed",
                   "choose a name by which the guest mounts the share");
  }
  if (tag.size() > kMaxShareTag) {
    return refused(field,
                   "the tag " + quote(tag) + " has " + std::to_string(tag.size()) +
                       " bytes; 1 to 36 are allowed",
                   "choose a shorter one");
  }
  if (text::has_control_character(tag)) {
    return refused(field, "the tag " + quote(tag) + " holds a control character",
                   "use printable characters");
  }
  return {};
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

/// Absolute, and spelled the one way that the kernel would spell it.
bool is_plain_absolute(std::string_view path) {
  if (!path.starts_with('/') || path.size() == 1) return false;
  while (!path.empty()) {
    const auto component = path.substr(1, path.find('/', 1) - 1);
    if (component.empty() || component == "." || component == "..") return false;
    path.remove_prefix(1 + component.size());
  }
  return true;
}

result<void> validate_guest_path(const std::string& field, const std::string& path) {
  if (text::has_control_character(path)) {
    return refused(field, "the guest path " + quote(path) + " holds a control character",
                   "use printable characters");
  }
  if (!is_plain_absolute(path) || path.size() >= PATH_MAX) {
    return refused(field,
                   "the guest path is " + quote(path) +
                       "; it must be absolute, not / itself, and without \"..\", \".\", \"//\" and "
                       "a \"/\" at the end",
                   "name a directory such as \"/mnt/work\"");
  }
  // What the guest needs to run anything at all.
  constexpr std::array<std::string_view, 3> kKernelDirectories = {"/dev", "/proc", "/sys"};
  for (const auto directory : kKernelDirectories) {
    if (!is_at_or_below(path, directory)) continue;
    return refused(
        field,
        "the guest path " + quote(path) + " would cover the guest's own " + std::string(directory),
        "name a directory such as \"/mnt/work\"");
  }
  return {};
}

result<void> validate_pair(const ShareConfig& earlier, const ShareConfig& share,
                           const std::string& field, bool sandbox) {
  if (earlier.target == share.target) {
    return refused(field, quote(share.target) + " is taken by an earlier share",
                   "give every share a target of its own");
  }
  if (sandbox && is_at_or_below(earlier.target, share.target)) {
    return refused(
        field, quote(share.target) + " would hide the earlier share at " + quote(earlier.target),
        "name the outer directory first");
  }
  return {};
}

}  // namespace

result<void> validate_shares(const VmConfig& config, const ValidateContext& context) {
  for (std::size_t i = 0; i != config.shares.size(); ++i) {
    const ShareConfig& share = config.shares[i];
    const std::string field = "share " + std::to_string(i + 1);
    if (auto ok = validate_host_path(field, share.host_path); !ok) return ok;
    auto target = context.sandbox ? validate_guest_path(field, share.target)
                                  : validate_tag(field, share.target);
    if (!target) return target;
    for (std::size_t j = 0; j != i; ++j) {
      if (auto ok = validate_pair(config.shares[j], share, field, context.sandbox); !ok) return ok;
    }
    if (share.ownership == Ownership::Passthrough && !context.root) {
      return refused(field,
                     "ownership is passthrough, which only a program that runs as root can give",
                     "run as root, or use Ownership::Squash");
    }
  }
  return {};
}

}  // namespace capsa::values
