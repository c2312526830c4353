#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace capsa::console {

/// Console bytes for people: newlines stay, a CR before one goes, every other control byte, DEL,
/// backslash and non-ASCII byte is escaped as in C (`\t`, `\\`, `\x1b`).
std::string printable(std::string_view bytes);

/// Drops `count` CRs in front of every LF: what a terminal with ONLCR adds, and no more. A line end
/// with fewer loses those it has.
std::string drop_carriage_returns(std::string_view bytes, std::size_t count);

/// Tells text from terminal control: ECMA-48 sequences (CSI, OSC and two-byte escapes). The bytes
/// are the guest's, so a sequence that does not end is given up at a line end or after 256 bytes.
class EscapeFilter {
 public:
  /// True where `c` is text or a plain control character, false inside an escape sequence.
  bool is_text(char c) noexcept;

 private:
  enum class State : std::uint8_t { Text, Escape, Csi, String, StringEscape };
  State state_ = State::Text;
  std::size_t length_ = 0;
};

/// The line that the cursor is on, without escape sequences: where a prompt stands. CR and LF both
/// begin a new one. Keeps the last 1 KiB of a line of any length.
class CurrentLine {
 public:
  /// True where `c` ended the line, which is then last().
  bool push(char c);
  void push(std::string_view bytes);
  std::string_view text() const noexcept { return ended_ ? std::string_view() : text_; }
  /// The line that the last push() ended; valid until the next one.
  std::string_view last() const noexcept { return text_; }
  void clear() { text_.clear(); }

 private:
  EscapeFilter filter_;
  std::string text_;
  bool ended_ = false;
};

std::string_view trim_right(std::string_view text) noexcept;

}  // namespace capsa::console
