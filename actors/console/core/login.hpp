#pragma once

#include <actors/console/core/conversation.hpp>
#include <actors/console/core/text.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace capsa::console {

/// Logs in at a getty's prompt (agetty, busybox getty, login(1)), or finds a shell that is open.
///
/// A prompt is a line that nothing follows, so each is believed only once the stream is silent
/// behind it: a "login:" inside a message of the day or of a boot log is none. What is printed over
/// a prompt, or was read before, is no hindrance: an empty line asks for a new one. The password is
/// sent once, to a password prompt, and is in no message.
class Login : public Conversation {
 public:
  /// InvalidConfig: an empty user, or a line end or control character in either.
  static result<Login> make(std::string user, std::optional<std::string> password);

  Step open(std::string_view tail, TimePoint now) override;
  Step feed(std::string_view bytes, TimePoint now) override;
  Step poke(TimePoint now) override;
  std::optional<TimePoint> wakeup() const override { return wakeup_; }
  std::string waiting_for() const override;

  /// Once done. LoginFailed: refused, or a password is asked for and none was given.
  const result<void>& outcome() const noexcept { return outcome_; }

 private:
  enum class Phase : std::uint8_t { Start, SentUser, SentPassword, Done };
  enum class Prompt : std::uint8_t { None, Login, Password, Shell, PerhapsShell };

  Login(std::string user, std::optional<std::string> password);
  Prompt prompt() const;
  void watch(TimePoint now);
  Step send(Phase phase, const std::string& line, TimePoint now);
  Step succeed();
  Step fail(std::string message, std::string hint, std::string bytes = {});
  Step on_login_prompt(TimePoint now);

  std::string user_;
  std::optional<std::string> password_;
  Phase phase_ = Phase::Start;
  CurrentLine line_;
  bool answered_ = false;  // the guest wrote something since we sent something
  bool echoed_ = false;    // and that had the user's name in it
  int tries_ = 0;          // how often the user's name was sent
  std::optional<TimePoint> wakeup_;
  result<void> outcome_;
};

}  // namespace capsa::console
