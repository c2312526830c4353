#pragma once

#include <actors/console/core/text.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::console {

/// Skips the echo of one typed line, whoever echoes: the terminal (the line as it is), readline
/// (wraps with blank and CR, and may write the character behind the wrap twice; scrolls sideways on
/// a terminal it knows nothing of), busybox (wraps with CR LF). Blanks, control characters and
/// escape sequences are therefore not compared.
class EchoSkipper {
 public:
  enum class State : std::uint8_t {
    Skipping,  ///< all of it may be echo
    Skipped,   ///< the echo has ended with its line
    NoEcho,    ///< it is none: see seen()
  };

  explicit EchoSkipper(std::string_view line);

  /// Takes bytes until the echo ends or turns out to be none; gives how many it took.
  std::size_t feed(std::string_view bytes);
  State state() const noexcept { return state_; }
  /// All that was taken so far: output, where there is no echo.
  const std::string& seen() const noexcept { return seen_; }

 private:
  void push(char c);
  void push_scrolled(char c);

  std::string expected_;               // the line's bytes but for blanks
  std::vector<std::size_t> at_ = {0};  // how much of it may have been seen; ascending, rarely two
  std::size_t limit_;                  // of seen_
  bool after_return_ = false;
  EscapeFilter filter_;
  bool scrolled_ = false;
  std::string visible_;  // of a line scrolled sideways
  std::string seen_;
  State state_ = State::Skipping;
};

}  // namespace capsa::console
