#include <actors/console/core/echo.hpp>
#include <algorithm>
#include <utility>

namespace capsa::console {

namespace {

// An echo with wraps and redraws is a few times as long as the line; what is longer is output.
constexpr std::size_t kEchoFactor = 16;
constexpr std::size_t kEchoSlack = 256;

// How much of the line's end must stand at the end of a line that was scrolled sideways.
constexpr std::size_t kScrolledEnd = 4;

bool is_blank(char c) {
  return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
}

}  // namespace

EchoSkipper::EchoSkipper(std::string_view line) : limit_(line.size() * kEchoFactor + kEchoSlack) {
  std::copy_if(line.begin(), line.end(), std::back_inserter(expected_),
               [](char c) { return !is_blank(c); });
}

std::size_t EchoSkipper::feed(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && state_ == State::Skipping) {
    seen_ += bytes[taken];
    push(bytes[taken]);
    ++taken;
    if (state_ == State::Skipping && seen_.size() >= limit_) state_ = State::NoEcho;
  }
  return taken;
}

void EchoSkipper::push(char c) {
  if (!filter_.is_text(c)) return;
  if (scrolled_) return push_scrolled(c);
  if (c == '\n' && at_.back() == expected_.size()) {
    state_ = State::Skipped;
    return;
  }
  if (is_blank(c)) {  // of the line, or what a line editor draws around its wraps
    after_return_ = c == '\r';
    return;
  }
  // A character behind a CR may be the next one, or the last one drawn again: both are followed.
  std::vector<std::size_t> next;
  for (const std::size_t at : at_) {
    if (after_return_ && at > 0 && c == expected_[at - 1]) next.push_back(at);
    if (at < expected_.size() && c == expected_[at]) next.push_back(at + 1);
  }
  next.erase(std::unique(next.begin(), next.end()), next.end());
  if (!next.empty()) {
    at_ = std::move(next);
  } else if (c == '<' && after_return_) {
    scrolled_ = true;  // how readline marks a line that goes on to the left
  } else {
    state_ = State::NoEcho;
  }
  after_return_ = false;
}

void EchoSkipper::push_scrolled(char c) {
  if (c != '\n') {
    if (!is_blank(c)) visible_ += c;
    return;
  }
  const std::size_t length = std::min(kScrolledEnd, expected_.size());
  const bool ours = visible_.ends_with(expected_.substr(expected_.size() - length));
  state_ = ours ? State::Skipped : State::NoEcho;
}

}  // namespace capsa::console
