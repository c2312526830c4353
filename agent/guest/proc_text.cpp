#include <fcntl.h>
#include <unistd.h>

#include <agent/guest/proc_text.hpp>
#include <array>
#include <capsa/detail/unique_fd.hpp>
#include <charconv>

namespace capsa::agent::guest {

namespace {

constexpr std::size_t kMaxText = std::size_t{1} << 20;
constexpr std::string_view kSpace = " \t\r\n";

}  // namespace

std::string read_text(const std::string& path) {
  std::string text;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return text;
  std::array<char, 4096> part;
  while (text.size() < kMaxText) {
    const ssize_t got = ::read(fd.get(), part.data(), part.size());
    if (got <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool parse_number(std::string_view text, unsigned& out) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failure == std::errc() && end == text.data() + text.size();
}

CommandLineValue command_line_value(std::string_view command_line, std::string_view key) {
  CommandLineValue found;
  for (const auto word : split(trimmed(command_line), ' ')) {
    if (!word.starts_with(key)) continue;
    const auto rest = word.substr(key.size());
    if (rest.empty()) found = {true, {}};
    if (rest.starts_with('=')) found = {true, trimmed(rest.substr(1))};
  }
  return found;
}

}  // namespace capsa::agent::guest
