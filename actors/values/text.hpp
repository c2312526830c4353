#pragma once

#include <string>
#include <string_view>

namespace capsa::text {

/// `"text"`, with control characters, quotes and backslashes escaped: safe for one line of a
/// terminal or a log, whoever wrote the text.
std::string quote(std::string_view text);

/// Whether the text holds a character that no name in a configuration may: NUL, newline, or any
/// other control character.
bool has_control_character(std::string_view text) noexcept;

}  // namespace capsa::text
