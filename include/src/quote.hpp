#pragma once

#include <string>
#include <string_view>

namespace capsa::detail {

/// `"text"`, at most 300 bytes of it, with all but printable ASCII, quotes and backslashes escaped:
/// safe for one line of a terminal or a log, whoever wrote the text.
inline std::string quote(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::size_t kMax = 300;
  std::string out = "\"";
  for (const char c : text.substr(0, kMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte > 0x7e) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 0xf];
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + (text.size() > kMax ? "…\"" : "\"");
}

}  // namespace capsa::detail
