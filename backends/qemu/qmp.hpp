#pragma once

#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace capsa::qemu {

/// An asynchronous message of QEMU.
struct QmpEvent {
  std::string name;     ///< "SHUTDOWN", "STOP", "RESUME", "POWERDOWN", "GUEST_PANICKED", …
  nlohmann::json data;  ///< an object, possibly empty
};

/// One client session of the QEMU Machine Protocol: bytes in, bytes out (qmp-spec, "QEMU Machine
/// Protocol Specification"). One JSON object per line; QEMU greets, we negotiate capabilities,
/// then commands carry our ids and their replies come back, mixed with events.
///
/// QEMU is not trusted: under TCG it is no boundary, so a guest may speak here in its name. Lines
/// and nesting are capped, types are checked, and the first thing that makes no sense ends the
/// session with BackendFailed.
///
/// Not thread-safe. Callbacks come from inside feed(), command() and close(); they may call
/// command() and close(), but not feed(), and must not destroy the session.
class QmpSession {
 public:
  /// Far above any reply that we ask for (query-cpus-fast of 255 vCPUs is 60 KiB).
  static constexpr std::size_t kMaxLine = std::size_t{1} << 20;
  /// QMP's own schema stays below 10 levels.
  static constexpr std::size_t kMaxDepth = 64;

  using Reply = std::function<void(result<nlohmann::json>)>;
  using EventHandler = std::function<void(const QmpEvent&)>;

  /// Negotiates at once: QEMU takes one command after the other and sends its greeting first, so
  /// nothing need wait for it, and events are enabled before the first command is carried out.
  explicit QmpSession(EventHandler on_event);

  /// Takes what QEMU sent, cut anywhere. An error ends the session, as close() does, and is
  /// returned again from then on.
  result<void> feed(std::string_view bytes);

  /// Sends a command. `done` is called once, with the reply's "return" value, or with BackendFailed
  /// where QEMU refused, or with the error that ended the session. `arguments`: an object, or null
  /// for none.
  void command(std::string_view name, nlohmann::json arguments, Reply done);

  /// What is to be sent to QEMU next; empty if nothing is.
  std::string take_output() { return std::exchange(output_, {}); }

  /// Ends the session: everything pending is answered with `why`.
  void close(const error& why);

  /// Capabilities are negotiated: from here on QEMU sends events.
  bool ready() const noexcept { return state_ == State::Ready; }
  bool closed() const noexcept { return failure_.has_value(); }

 private:
  enum class State : std::uint8_t { Greeting, Negotiating, Ready };  // what QEMU says next
  struct Pending {
    std::string name;
    Reply done;
  };

  result<void> take_line(std::string_view line);
  result<void> take_greeting(const nlohmann::json& message);
  result<void> take_reply(const nlohmann::json& message);
  result<void> take_event(const nlohmann::json& message);
  void send(std::string_view name, nlohmann::json arguments, std::uint64_t id);

  EventHandler on_event_;
  State state_ = State::Greeting;
  std::optional<error> failure_;
  std::string line_;    // the part of a line that has come so far
  std::string output_;  // sent to QEMU next
  std::map<std::uint64_t, Pending> pending_;
  std::uint64_t next_id_ = 1;  // 0 is qmp_capabilities
};

}  // namespace capsa::qemu
