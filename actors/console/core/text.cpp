#include <actors/console/core/text.hpp>
#include <algorithm>

namespace capsa::console {

namespace {

constexpr std::size_t kLongestSequence =
    256;  // a window title set by a prompt is the longest known
constexpr std::size_t kLongestLine = 1024;

}  // namespace

std::string printable(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    if (c == '\n' || (c >= 0x20 && c < 0x7f && c != '\\')) {
      out += static_cast<char>(c);
    } else if (c == '\r') {
      const std::size_t next = bytes.find_first_not_of('\r', i);
      if (next != std::string_view::npos && bytes[next] != '\n') out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out.append("\\x").append(1, kHex[c >> 4]).append(1, kHex[c & 15]);
    }
  }
  return out;
}

std::string drop_carriage_returns(std::string_view bytes, std::size_t count) {
  std::string out;
  out.reserve(bytes.size());
  std::size_t returns = 0;  // CRs at the end of `out`
  for (const char c : bytes) {
    if (c == '\n') out.resize(out.size() - std::min(returns, count));
    returns = c == '\r' ? returns + 1 : 0;
    out += c;
  }
  return out;
}

bool EscapeFilter::is_text(char c) noexcept {
  if (state_ == State::Text) {
    if (c != '\x1b') return true;
    state_ = State::Escape;
    length_ = 0;
    return false;
  }
  if (c == '\n' || ++length_ > kLongestSequence) {
    state_ = State::Text;
    return true;
  }
  switch (state_) {
    case State::Text:
      return true;
    case State::Escape:
    case State::StringEscape:
      if (c == '[') {
        state_ = State::Csi;
      } else if (c == ']' || c == 'P' || c == '_' || c == '^') {
        state_ = State::String;
      } else if (c < 0x20 || c > 0x2f) {  // 0x20 to 0x2f are intermediate bytes (ECMA-35, 13.2.1)
        state_ = State::Text;
      }
      return false;
    case State::Csi:
      if (c >= 0x40 && c <= 0x7e) state_ = State::Text;
      return false;
    case State::String:
      if (c == '\a') state_ = State::Text;
      if (c == '\x1b') state_ = State::StringEscape;
      return false;
  }
  return true;
}

bool CurrentLine::push(char c) {
  if (ended_) text_.clear();
  ended_ = false;
  if (!filter_.is_text(c)) return false;
  if (c == '\r' || c == '\n') {
    ended_ = true;
    return true;
  }
  // Halving keeps the cost of an endless line at one move a byte.
  if (text_.size() == 2 * kLongestLine) text_.erase(0, kLongestLine);
  text_ += c;
  return false;
}

void CurrentLine::push(std::string_view bytes) {
  for (const char c : bytes)
    push(c);
}

std::string_view trim_right(std::string_view text) noexcept {
  const std::size_t last = text.find_last_not_of(" \t");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

}  // namespace capsa::console
