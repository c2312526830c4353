#pragma once

#include <actors/console/core/conversation.hpp>
#include <actors/console/core/exec_script.hpp>
#include <actors/console/core/stream_pattern.hpp>
#include <capsa/console.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <string>

namespace capsa::console {

/// Runs one ExecScript: types it, and takes from the answers the command's own output and its
/// status. What the guest sends is untrusted; only markers with this script's nonce mean anything.
///
/// The output is what the command wrote to the terminal, byte for byte, but for the CRs that the
/// terminal puts before each LF: how many is seen at our own first line end. The prompt that
/// follows stays in the stream.
class ExecParser : public Conversation {
 public:
  /// The most output that is kept, in bytes as they come from the terminal.
  static constexpr std::size_t kMaxOutput = std::size_t{16} << 20;

  explicit ExecParser(ExecScript script, std::size_t max_output = kMaxOutput);

  Step open(std::string_view tail, TimePoint now) override;
  Step feed(std::string_view bytes, TimePoint now) override;
  Step poke(TimePoint now) override;
  std::optional<TimePoint> wakeup() const override;
  /// Ctrl-C, once the shell has answered; before that something else may be running there.
  Recovery recovery() const override;
  std::string waiting_for() const override;

  /// Once done. ResourceExhausted: more output than is kept; IoError: the end was garbled by other
  /// output on the same terminal.
  result<ConsoleOutput> outcome() const;

 private:
  enum class Phase : std::uint8_t { Hello, Batches, Begin, BeginLineEnd, Output, Status, Done };

  std::size_t feed_some(std::string_view bytes, Step& step);
  std::size_t feed_output(std::string_view bytes);
  void parse_status();

  ExecScript script_;
  std::size_t max_output_;
  Phase phase_ = Phase::Hello;
  StreamPattern marker_;
  std::size_t batch_ = 0;
  int hellos_ = 0;
  std::optional<TimePoint> retry_;
  std::size_t returns_ = 0;  // CRs that the terminal puts before a LF
  std::string raw_;          // the first max_output_ bytes since the begin marker
  std::uint64_t total_ = 0;  // all of them
  std::string status_text_;  // what follows the end marker, up to its LF
  std::optional<int> status_;
};

}  // namespace capsa::console
