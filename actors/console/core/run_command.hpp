#pragma once

#include <actors/console/core/conversation.hpp>
#include <actors/console/core/echo.hpp>
#include <actors/console/core/stream_pattern.hpp>
#include <actors/console/core/text.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <string>

namespace capsa::console {

/// Types one line at whatever prompts with `prompt` (a shell, an interpreter, a boot loader) and
/// takes what it writes until it prompts again. Unlike exec this is plain typing: a shell's
/// directory and variables change for good, and the prompt's text in the output ends it early.
///
/// The line is typed only once the prompt stands at the end of the stream, so that neither a
/// prompt nor an echo of before is taken for an answer. If it does not come (a message was printed
/// over it), an empty line asks for a new one; if that brings none either, the line is typed blind.
class RunCommand : public Conversation {
 public:
  /// What busybox's line editor takes (CONFIG_FEATURE_EDITING_MAX_LEN, 1024 with its NUL).
  static constexpr std::size_t kMaxLine = 1023;
  static constexpr std::size_t kMaxOutput = std::size_t{16} << 20;

  /// One trailing line end is dropped from `command`. InvalidConfig: more than one line, a control
  /// character, too long, or an empty prompt.
  static result<RunCommand> make(std::string command, std::string prompt,
                                 std::size_t max_output = kMaxOutput);

  Step open(std::string_view tail, TimePoint now) override;
  Step feed(std::string_view bytes, TimePoint now) override;
  Step poke(TimePoint now) override;
  std::optional<TimePoint> wakeup() const override { return wakeup_; }
  std::string waiting_for() const override;

  /// Once done: what came before the prompt, line ends as LF. Of the prompt's own line what stood
  /// there before (`user@host:~`) is dropped too. ResourceExhausted: more than max_output.
  result<std::string> outcome() const;

 private:
  enum class Phase : std::uint8_t { Sync, Echo, Output, Done };

  RunCommand(std::string command, std::string prompt, std::size_t max_output);
  bool at_prompt() const;
  void track(std::string_view bytes);
  Step type(TimePoint now);
  std::size_t take_output(std::string_view bytes);
  void finish();

  std::string command_;
  std::string prompt_;
  std::size_t max_output_;
  Phase phase_ = Phase::Sync;
  bool provoked_ = false;
  std::optional<TimePoint> wakeup_;
  CurrentLine line_;    // where the prompt is looked for before typing
  std::string recent_;  // the same bytes as they came
  EchoSkipper echo_;
  StreamPattern pattern_;
  std::string output_;
  bool overflow_ = false;
};

}  // namespace capsa::console
