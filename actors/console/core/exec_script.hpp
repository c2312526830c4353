#pragma once

#include <array>
#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::console {

/// 128 bits that nobody in the guest can know beforehand.
using Nonce = std::array<std::uint8_t, 16>;

/// From the host's random device. Thread-safe.
Nonce fresh_nonce();

/// What is typed at a POSIX shell so that one command's output and status can be told from
/// everything else on the terminal.
///
/// - Markers are put together by the shell: the text that is typed has their halves in the other
///   order, so no echo, history, trace or listing of it contains a marker.
/// - First `hello()` alone; what comes before its answer (prompts, an echo, output of earlier
///   commands) is not ours. Then the batches, each once the one before was acknowledged, so that
///   no line waits in a terminal's buffer (4095 bytes, n_tty) longer than it must.
/// - The command travels as printable ASCII without quote, backslash, `!` and tab (octal escapes
///   for `printf %b`), in lines far shorter than what busybox's line editor takes (1023 bytes): no
///   completion, history expansion or line ending touches it.
/// - It runs by `eval` in a subshell of the shell at the console: it sees that shell's variables,
///   functions, directory and terminal, and whatever it does to its own, `exit`, `set -e`,
///   `exec >file`, a syntax error or a Ctrl-C included, its status is still reported.
class ExecScript {
 public:
  /// Our own bound: about a thousand typed lines. Longer scripts belong in a file.
  static constexpr std::size_t kMaxCommand = 64 * 1024;

  /// InvalidConfig where `command` contains a NUL byte or is longer than kMaxCommand.
  static result<ExecScript> make(std::string_view command, const Nonce& nonce);

  const std::string& hello() const noexcept { return hello_; }
  /// Never empty. Batch i is acknowledged by ack_marker(i); the last one runs the command instead.
  const std::vector<std::string>& batches() const noexcept { return batches_; }

  std::string hello_marker() const { return marker("h"); }
  std::string ack_marker(std::size_t batch) const;
  std::string begin_marker() const { return marker("b"); }  ///< a line end follows it
  std::string end_marker() const { return marker("e"); }    ///< `:status` and a line end follow it

 private:
  ExecScript() = default;
  std::string marker(std::string_view tag) const { return head(tag) + tail_; }
  std::string head(std::string_view tag) const;
  std::string say(std::string_view tag) const;
  std::string run_line() const;

  std::string head_;
  std::string tail_;
  std::string hello_;
  std::vector<std::string> batches_;
};

}  // namespace capsa::console
