#pragma once

#include <string>
#include <string_view>

namespace capsa::image {

/// What a stranger wrote, for a message: on one line, without control characters, not without end.
inline std::string printable(std::string_view text, std::size_t most = 120) {
  std::string out;
  for (const char c : text.substr(0, most))
    out += static_cast<unsigned char>(c) >= ' ' && c != 0x7f ? c : '?';
  return text.size() > most ? out + "…" : out;
}

}  // namespace capsa::image
