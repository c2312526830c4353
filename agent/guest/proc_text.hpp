#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Small text files of the kernel and of /etc.
namespace capsa::agent::guest {

/// The whole file, up to 1 MiB; empty if it cannot be read.
std::string read_text(const std::string& path);
/// Without the white space at both ends.
std::string_view trimmed(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
/// The whole of `text` as a decimal number that fits uid_t.
bool parse_number(std::string_view text, unsigned& out);

/// A word of the kernel command line; `value` is empty for a flag without one.
struct CommandLineValue {
  bool present = false;
  std::string_view value;
};
/// The last `key` or `key=value` of a kernel command line.
CommandLineValue command_line_value(std::string_view command_line, std::string_view key);

}  // namespace capsa::agent::guest
