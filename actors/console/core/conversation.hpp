#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace capsa::console {

using TimePoint = std::chrono::steady_clock::time_point;

/// What a conversation wants after it was given something.
struct Step {
  std::size_t taken = 0;  ///< bytes that it used; fewer than it was given only where it is done
  std::string send;       ///< bytes for the guest, in this order
  bool done = false;
};

/// How a conversation that is given up brings the guest's side back to a prompt.
struct Recovery {
  std::string send;  ///< at once; may be empty
  /// Where the guest writes this later, what `send` was to end has begun all the same (it was typed
  /// too early to be seen), and `send` is typed once more. Empty: that cannot be.
  std::string again_after;
};

/// Something that has the stream to itself for a while, writes to the guest and reads the answers:
/// exec, run_command, login. Its result is asked of the concrete class once a step said `done`;
/// after that it is given nothing more. Single-threaded; keeps no clock.
class Conversation {
 public:
  virtual ~Conversation() = default;

  /// The conversation's turn has come. `tail` is the end of what the guest wrote so far, read or
  /// not: what was not read is dropped, for it cannot be an answer.
  virtual Step open(std::string_view tail, TimePoint now) = 0;
  virtual Step feed(std::string_view bytes, TimePoint now) = 0;
  /// wakeup() has come. A call before it, or without one, changes nothing.
  virtual Step poke(TimePoint now) = 0;
  virtual std::optional<TimePoint> wakeup() const = 0;

  /// What to do if the conversation is given up now.
  virtual Recovery recovery() const { return {}; }
  /// What has not come yet, for the message of a time-out: "the shell at the console to answer".
  virtual std::string waiting_for() const = 0;
};

}  // namespace capsa::console
