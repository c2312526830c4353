#pragma once

#include <capsa/agent_types.hpp>
#include <capsa/result.hpp>
#include <optional>

namespace capsa::cli {

/// Opens /dev/null in the place of standard descriptors that are closed, so that nothing else that
/// is opened lands there. To be called first of all.
void open_standard_fds();

/// Size of the terminal on any of the standard descriptors.
std::optional<PtySize> terminal_size();

/// The terminal on standard input in raw mode: every key goes to the guest. One at a time. Restored
/// on destruction, and when a fatal signal ends the program.
class RawTerminal {
 public:
  /// NotFound where standard input is no terminal; IoError.
  static result<RawTerminal> enter();

  RawTerminal(RawTerminal&& other) noexcept;
  RawTerminal& operator=(RawTerminal&&) = delete;
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() { restore(); }

  /// Enters raw mode again: a shell that took the terminal back meanwhile left it in its own.
  void reenter();
  void restore();

 private:
  RawTerminal() = default;
  bool active_ = true;
};

}  // namespace capsa::cli
