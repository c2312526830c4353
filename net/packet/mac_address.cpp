#include <net/packet/mac_address.hpp>
#include <ostream>

namespace capsa::net {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

std::optional<unsigned> digit(char c) {
  const auto at = kHex.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned>(at);
}

}  // namespace

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  if (text.size() != kSize * 3 - 1) return std::nullopt;
  MacAddress out;
  for (std::size_t i = 0; i < kSize; ++i) {
    const auto high = digit(text[3 * i]);
    const auto low = digit(text[3 * i + 1]);
    if (!high || !low || (i != 0 && text[3 * i - 1] != ':')) return std::nullopt;
    out.bytes_[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return out;
}

std::string MacAddress::to_string() const {
  std::string out;
  for (const std::uint8_t byte : bytes_) {
    if (!out.empty()) out += ':';
    out += kHex[byte >> 4];
    out += kHex[byte & 0xf];
  }
  return out;
}

std::ostream& operator<<(std::ostream& out, const MacAddress& address) {
  return out << address.to_string();
}

}  // namespace capsa::net
