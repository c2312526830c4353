#include <algorithm>
#include <net/dns/name.hpp>

namespace capsa::net::dns {
namespace {

// The first two bits of a length byte (RFC 1035, 4.1.4); 01 and 10 were never put to use.
constexpr std::uint8_t kKind = 0xc0;
constexpr std::uint8_t kPointer = 0xc0;
// Nothing lies in the header that could be a name.
constexpr std::size_t kHeader = 12;

std::uint8_t length_at(std::string_view wire, std::size_t at) {
  return static_cast<std::uint8_t>(wire[at]);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool plain(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '/';
}

/// A length byte is at most 63 and no letter, so that whole names can be compared byte by byte.
bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

std::optional<Name> Name::from_text(std::string_view text) {
  Name name;
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty()) return std::nullopt;
  name.wire_.clear();
  for (bool last = false; !last;) {
    const std::size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > kMaxLabel ||
        !std::all_of(label.begin(), label.end(), plain))
      return std::nullopt;
    name.wire_.push_back(static_cast<char>(label.size()));
    name.wire_.append(label);
    last = dot == std::string_view::npos;
    if (!last) text.remove_prefix(dot + 1);
  }
  name.wire_.push_back('\0');
  if (name.wire_.size() > kMaxWire) return std::nullopt;
  return name;
}

std::optional<Name> Name::read(std::span<const std::byte> message, std::size_t& at) {
  Name name;
  name.wire_.clear();
  std::size_t here = at;
  std::size_t segment = at;  // where what is read without a jump began
  bool jumped = false;
  for (;;) {
    if (here >= message.size()) return std::nullopt;
    const auto length = std::to_integer<std::uint8_t>(message[here]);
    if ((length & kKind) == kPointer) {
      if (message.size() - here < 2) return std::nullopt;
      const std::size_t target =
          std::size_t{length & 0x3fU} << 8 | std::to_integer<std::size_t>(message[here + 1]);
      if (target < kHeader || target >= segment) return std::nullopt;
      if (!jumped) at = here + 2;
      jumped = true;
      here = segment = target;
      continue;
    }
    if ((length & kKind) != 0 || message.size() - here <= length) return std::nullopt;
    if (name.wire_.size() + 1 + length > kMaxWire) return std::nullopt;
    name.wire_.append(reinterpret_cast<const char*>(message.data()) + here, 1U + length);
    here += 1U + length;
    if (length == 0) break;
  }
  if (!jumped) at = here;
  return name;
}

std::size_t Name::labels() const noexcept {
  std::size_t count = 0;
  for (std::size_t at = 0; wire_[at] != 0; at += 1U + length_at(wire_, at))
    ++count;
  return count;
}

bool Name::is_plain() const noexcept {
  for (std::size_t at = 0; wire_[at] != 0; at += 1U + length_at(wire_, at)) {
    const auto label = std::string_view(wire_).substr(at + 1, length_at(wire_, at));
    if (!std::all_of(label.begin(), label.end(), plain)) return false;
  }
  return true;
}

std::string Name::text() const {
  std::string out;
  for (std::size_t at = 0; wire_[at] != 0; at += 1U + length_at(wire_, at)) {
    if (at != 0) out.push_back('.');
    for (const char c : std::string_view(wire_).substr(at + 1, length_at(wire_, at)))
      out.push_back(lower(c));
  }
  return out;
}

Name Name::parent() const {
  Name up;
  up.wire_ = wire_.substr(1U + length_at(wire_, 0));
  return up;
}

bool Name::is_within(const Name& ancestor) const noexcept {
  // By whole labels: "evilx" is not below "x".
  for (std::size_t at = 0;; at += 1U + length_at(wire_, at)) {
    if (same(std::string_view(wire_).substr(at), ancestor.wire_)) return true;
    if (wire_[at] == 0) return false;
  }
}

std::optional<Name> Name::joined(const Name& suffix) const {
  Name both;
  both.wire_ = wire_.substr(0, wire_.size() - 1) + suffix.wire_;
  if (both.wire_.size() > kMaxWire) return std::nullopt;
  return both;
}

Name Name::lower_case() const {
  Name name;
  name.wire_ = wire_;
  std::transform(wire_.begin(), wire_.end(), name.wire_.begin(), lower);
  return name;
}

bool operator==(const Name& a, const Name& b) noexcept {
  return same(a.wire_, b.wire_);
}

bool operator<(const Name& a, const Name& b) noexcept {
  return std::lexicographical_compare(a.wire_.begin(), a.wire_.end(), b.wire_.begin(),
                                      b.wire_.end(),
                                      [](char x, char y) { return lower(x) < lower(y); });
}

}  // namespace capsa::net::dns
