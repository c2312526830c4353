#include <algorithm>
#include <capsa/network_policy.hpp>
#include <net/policy/hello_inspector.hpp>
#include <optional>
#include <string_view>

namespace capsa::net {
namespace {

bool is_token(char c) {  // RFC 9110, 5.6.2
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// One line of `rest`, without its end. Nothing for a control character within, as a bare CR.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  auto line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  const bool clean = std::none_of(line.begin(), line.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\t';
  });
  return clean ? std::optional(line) : std::nullopt;
}

/// The host of "host[:port]"; nothing where it is none.
std::optional<std::string> host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    return canonical_domain(authority.substr(0, end + 1));
  }
  const auto colon = authority.find(':');
  const auto port = colon == std::string_view::npos ? "" : authority.substr(colon + 1);
  const bool digits =
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  const auto host = authority.substr(0, colon);
  const bool clean = std::all_of(host.begin(), host.end(),
                                 [](char c) { return is_token(c) && c != '%' && c != '#'; });
  if (!digits || !clean) return std::nullopt;
  return canonical_domain(host);
}

/// RFC 9112, 3.2.2 and 3.2.3: a target that names a host wins over the header. Nothing where it is
/// malformed, and empty where it names none.
std::optional<std::string> host_of_target(std::string_view method, std::string_view target) {
  if (method == "CONNECT") return host_of(target);
  if (target.empty() || target.front() == '/' || target == "*") return std::string();
  const auto start = target.find("://");
  if (start == std::string_view::npos) return std::nullopt;
  auto authority = target.substr(start + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos || authority.empty()) return std::nullopt;
  return host_of(authority);
}

}  // namespace

bool read_http_head(std::string_view head, HelloFacts& out) {
  const auto request = take_line(head);
  if (!request) return false;
  const auto first = request->find(' ');
  const auto last = request->rfind(' ');
  // HTTP/0.9, which has no headers, and the preface of HTTP/2, whose names are packed: no name.
  if (first == std::string_view::npos || first == last) return true;
  const auto target = request->substr(first + 1, last - first - 1);
  if (target.find_first_of(" \t") != std::string_view::npos) return false;
  if (!request->substr(last + 1).starts_with("HTTP/1.")) return true;
  const auto named = host_of_target(request->substr(0, first), target);
  if (!named) return false;
  std::optional<std::string> host;
  while (!head.empty()) {
    const auto line = take_line(head);
    if (!line) return false;
    if (line->empty()) break;
    const auto colon = line->find(':');
    // Folded lines and blanks before the colon: RFC 9112, 5.1 and 5.2 have them refused.
    if (colon == std::string_view::npos || colon == 0 ||
        !std::all_of(line->begin(), line->begin() + static_cast<std::ptrdiff_t>(colon), is_token)) {
      return false;
    }
    if (canonical_domain(line->substr(0, colon)) != "host") continue;
    if (host) return false;
    host = host_of(trim(line->substr(colon + 1)));
    if (!host) return false;
  }
  if (!named->empty() && host && !host->empty() && *host != *named) return false;
  out.name = named->empty() ? host.value_or("") : *named;
  return true;
}

}  // namespace capsa::net
