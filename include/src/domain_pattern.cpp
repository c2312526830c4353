#include <algorithm>
#include <capsa/network_policy.hpp>

#include "quote.hpp"

namespace capsa {
namespace {

using detail::quote;

constexpr std::size_t kMaxLabel = 63;  // RFC 1035, 2.3.4

error refused(std::string_view text, const std::string& problem, std::string hint) {
  return {ErrorCode::InvalidConfig, "domain " + quote(text) + " " + problem, std::move(hint)};
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<signed char>(c) >= 0; });
}

bool allowed_in_label(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

result<void> validate_label(std::string_view name, std::string_view label) {
  if (label.empty()) return refused(name, "has an empty label", "leave out the extra dot");
  if (label.size() > kMaxLabel) {
    return refused(name, "has a label of " + std::to_string(label.size()) + " bytes",
                   "a label has at most 63 bytes");
  }
  if (label.find('*') != std::string_view::npos) {
    return refused(name, "has a '*' that is not the first label",
                   "write *.example.com for all names below example.com");
  }
  if (!std::all_of(label.begin(), label.end(), allowed_in_label)) {
    return refused(name, "has a character that no host name has",
                   "letters, digits, '-', '_' and dots are allowed");
  }
  return {};
}

}  // namespace

std::string canonical_domain(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

DomainPattern DomainPattern::exact(std::string_view name) {
  return {canonical_domain(name), false};
}

DomainPattern DomainPattern::wildcard(std::string_view pattern) {
  return {canonical_domain(pattern), true};
}

result<DomainPattern> DomainPattern::parse(std::string_view text) {
  DomainPattern out = text.starts_with("*.") ? wildcard(text) : exact(text);
  if (auto ok = out.validate(); !ok) return ok.error();
  return out;
}

result<void> DomainPattern::validate() const {
  std::string_view name = text_;
  if (name.empty()) return refused(name, "is empty", "write a name, as api.example.com");
  if (name == "*") {
    return refused(name, "stands for every name", "use a rule for any traffic, or allow_dns()");
  }
  if (!is_ascii(name)) {
    return refused(name, "has letters outside ASCII",
                   "write the name in punycode, as xn--bcher-kva.example");
  }
  if (name.size() > kMaxLength) {
    return refused(name, "has " + std::to_string(name.size()) + " bytes",
                   "a name has at most 253 bytes");
  }
  if (IpAddress::parse(name)) {
    return refused(name, "is an IP address", "use a rule for an IP address");
  }
  if (wildcard_) {
    if (!name.starts_with("*.")) {
      return refused(text_, "is no wildcard", "start it with *., or use an exact name");
    }
    name.remove_prefix(2);
    if (name.find('.') == std::string_view::npos) {
      return refused(text_, "stands for a whole top-level domain",
                     "name two labels at least behind the '*'");
    }
  }
  for (std::string_view rest = name;;) {
    const auto dot = rest.find('.');
    if (auto ok = validate_label(text_, rest.substr(0, dot)); !ok) return ok;
    if (dot == std::string_view::npos) return {};
    rest.remove_prefix(dot + 1);
  }
}

bool DomainPattern::matches(std::string_view name) const {
  const std::string given = canonical_domain(name);
  if (!wildcard_) return !given.empty() && given == text_;
  if (!text_.starts_with("*.")) return false;
  // With its dot: evilgithub.com is not below github.com.
  const auto suffix = std::string_view(text_).substr(1);
  return suffix.size() > 1 && given.size() > suffix.size() && given.front() != '.' &&
         given.ends_with(suffix);
}

}  // namespace capsa
