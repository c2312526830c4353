#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <variant>

namespace capsa {

/// Where a VM is in its life: Created → Starting → Running → Stopping → Stopped | Failed. A closed
/// value: visit it with std::visit(f, status.value()), or ask with is<T>() and get_if<T>().
class VmStatus {
 public:
  /// Built and not started: it has nothing on the host.
  struct Created {
    friend bool operator==(const Created&, const Created&) = default;
  };
  /// Its devices and its machine are being made.
  struct Starting {
    friend bool operator==(const Starting&, const Starting&) = default;
  };
  /// Its machine runs, which says nothing of how far the guest has come.
  struct Running {
    friend bool operator==(const Running&, const Running&) = default;
  };
  /// It was asked to end, or its command has ended.
  struct Stopping {
    friend bool operator==(const Stopping&, const Stopping&) = default;
  };
  /// It has ended, and nothing of it is left on the host.
  struct Stopped {
    /// The sandbox command's status (128 + signal if a signal ended it), 0 for a clean power-off,
    /// nothing where the VM was killed.
    std::optional<int> exit_code;
    friend bool operator==(const Stopped&, const Stopped&) = default;
  };
  /// The same, but it did not start, or the guest or the machine broke down.
  struct Failed {
    std::string message;  ///< why, with the guest's last lines where it had some
    friend bool operator==(const Failed&, const Failed&) = default;
  };
  /// One of them.
  using Value = std::variant<Created, Starting, Running, Stopping, Stopped, Failed>;

  VmStatus() = default;
  ///@{
  /// To compare with, and for tests.
  static VmStatus created() { return VmStatus(Created{}); }
  static VmStatus starting() { return VmStatus(Starting{}); }
  static VmStatus running() { return VmStatus(Running{}); }
  static VmStatus stopping() { return VmStatus(Stopping{}); }
  static VmStatus stopped(std::optional<int> exit_code) { return VmStatus(Stopped{exit_code}); }
  static VmStatus failed(std::string message) { return VmStatus(Failed{std::move(message)}); }
  ///@}

  ///@{
  /// Whether it is a `T` of those above; null where it is another one.
  template <class T>
  bool is() const noexcept {
    return std::holds_alternative<T>(value_);
  }
  template <class T>
  const T* get_if() const noexcept {
    return std::get_if<T>(&value_);
  }
  ///@}
  /// For std::visit.
  const Value& value() const noexcept { return value_; }
  /// Stopped or Failed.
  bool ended() const noexcept { return is<Stopped>() || is<Failed>(); }

  friend bool operator==(const VmStatus&, const VmStatus&) = default;

 private:
  explicit VmStatus(Value value) : value_(std::move(value)) {}
  Value value_;
};

/// "running", "stopped(0)", "failed(…)".
std::string to_string(const VmStatus&);
std::ostream& operator<<(std::ostream&, const VmStatus&);

/// One thing that happened to a VM.
struct VmEvent {
  /// What happened.
  enum class Kind : std::uint8_t {
    StatusChanged,  ///< `status` says to what
    AgentReady,     ///< the agent in the guest said hello
    AgentLost,      ///< its connection broke while the VM ran
    Paused,         ///< all vCPUs stand still
    Resumed,        ///< they run again
    ShareFailed,    ///< a share's device stopped serving
    NetworkDenied,  ///< the policy denied the guest a flow or a name; `cause` says which, and why
    NetworkLogged,  ///< a Log rule is about a flow or a name of the guest; `cause` says which
  };
  Kind kind = Kind::StatusChanged;             ///< what happened
  VmStatus status;                             ///< the status after the event
  std::string cause;                           ///< why, for people
  std::chrono::system_clock::time_point time;  ///< by the host's clock

  friend bool operator==(const VmEvent&, const VmEvent&) = default;
};
/// The enumerator in snake_case, e.g. "agent_ready".
std::string to_string(VmEvent::Kind);

}  // namespace capsa
