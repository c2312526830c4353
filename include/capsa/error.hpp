#pragma once

#include <cerrno>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace capsa {

/// Every way an operation of this library can fail. The enumeration is closed: a new failure gets
/// a name here or uses the one that tells the caller what to do.
enum class ErrorCode : std::uint8_t {
  InvalidConfig,       ///< a configuration value is out of its range; nothing was started
  UnsupportedFeature,  ///< the chosen backend or guest cannot do this; nothing was started
  NotFound,            ///< a file, program or name that was asked for does not exist
  PermissionDenied,    ///< the host refused access
  GuestNotPrepared,    ///< no guest kernel and initrd in the cache yet
  BackendUnavailable,  ///< no backend can run on this machine as it is
  BackendFailed,       ///< the backend ended or refused; the message carries its own words
  AlreadyRunning,      ///< start() on a VM that is not stopped
  NotRunning,          ///< the operation needs a running VM
  VmEnded,             ///< the VM ended while the operation waited
  ConsoleDisabled,     ///< console() without console_enabled()
  LoginFailed,         ///< the guest refused the user or the password
  AgentUnavailable,    ///< no agent answers in the guest
  AgentProtocol,       ///< the peer speaks another version, or sent something malformed
  GuestError,          ///< the guest's kernel refused the operation; see error::guest_errno()
  ConnectionClosed,    ///< the peer closed or refused the connection
  Timeout,             ///< the deadline passed
  Canceled,            ///< the caller or a dropped handle took the operation back
  ResourceExhausted,   ///< a cap of this library or a limit of the host was reached
  IoError,             ///< the host's kernel reported an error
  PoolShutdown,        ///< the pool ended while the caller waited
  RuntimeShutdown,     ///< the runtime is shutting down or has ended
  Internal,            ///< a defect of this library; please report it
};

/// The enumerator in snake_case, e.g. "unsupported_feature".
constexpr std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::InvalidConfig:
      return "invalid_config";
    case ErrorCode::UnsupportedFeature:
      return "unsupported_feature";
    case ErrorCode::NotFound:
      return "not_found";
    case ErrorCode::PermissionDenied:
      return "permission_denied";
    case ErrorCode::GuestNotPrepared:
      return "guest_not_prepared";
    case ErrorCode::BackendUnavailable:
      return "backend_unavailable";
    case ErrorCode::BackendFailed:
      return "backend_failed";
    case ErrorCode::AlreadyRunning:
      return "already_running";
    case ErrorCode::NotRunning:
      return "not_running";
    case ErrorCode::VmEnded:
      return "vm_ended";
    case ErrorCode::ConsoleDisabled:
      return "console_disabled";
    case ErrorCode::LoginFailed:
      return "login_failed";
    case ErrorCode::AgentUnavailable:
      return "agent_unavailable";
    case ErrorCode::AgentProtocol:
      return "agent_protocol";
    case ErrorCode::GuestError:
      return "guest_error";
    case ErrorCode::ConnectionClosed:
      return "connection_closed";
    case ErrorCode::Timeout:
      return "timeout";
    case ErrorCode::Canceled:
      return "canceled";
    case ErrorCode::ResourceExhausted:
      return "resource_exhausted";
    case ErrorCode::IoError:
      return "io_error";
    case ErrorCode::PoolShutdown:
      return "pool_shutdown";
    case ErrorCode::RuntimeShutdown:
      return "runtime_shutdown";
    case ErrorCode::Internal:
      return "internal";
  }
  return "internal";
}

/// One sentence on what the code means.
constexpr std::string_view describe(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::InvalidConfig:
      return "A configuration value is out of its range.";
    case ErrorCode::UnsupportedFeature:
      return "The backend or the guest cannot do what was asked for.";
    case ErrorCode::NotFound:
      return "Something that was named does not exist.";
    case ErrorCode::PermissionDenied:
      return "The host refused access.";
    case ErrorCode::GuestNotPrepared:
      return "There is no guest kernel and initrd in the cache yet.";
    case ErrorCode::BackendUnavailable:
      return "No backend can run on this machine as it is.";
    case ErrorCode::BackendFailed:
      return "The backend refused or ended by itself.";
    case ErrorCode::AlreadyRunning:
      return "The VM is running already.";
    case ErrorCode::NotRunning:
      return "The VM is not running.";
    case ErrorCode::VmEnded:
      return "The VM ended while the operation waited.";
    case ErrorCode::ConsoleDisabled:
      return "The VM was built without a console.";
    case ErrorCode::LoginFailed:
      return "The guest refused the login.";
    case ErrorCode::AgentUnavailable:
      return "No agent answers in the guest.";
    case ErrorCode::AgentProtocol:
      return "The agent and this library do not understand each other.";
    case ErrorCode::GuestError:
      return "The guest's kernel refused the operation.";
    case ErrorCode::ConnectionClosed:
      return "The peer closed or refused the connection.";
    case ErrorCode::Timeout:
      return "The deadline passed.";
    case ErrorCode::Canceled:
      return "The operation was taken back.";
    case ErrorCode::ResourceExhausted:
      return "A limit of the library or the host was reached.";
    case ErrorCode::IoError:
      return "The host's kernel reported an error.";
    case ErrorCode::PoolShutdown:
      return "The pool was shut down.";
    case ErrorCode::RuntimeShutdown:
      return "The runtime is shutting down or has ended.";
    case ErrorCode::Internal:
      return "A defect of this library; please report it.";
  }
  return "A defect of this library; please report it.";
}

/// An error as users meet it: which kind, what happened, and what to do about it.
/// Thrown by future<T>::get(), carried by result<T>. A plain value, safe to copy between threads.
class error : public std::exception {
 public:
  error() noexcept : error(ErrorCode::Internal, {}) {}
  /// An empty message becomes describe(code).
  error(ErrorCode code, std::string message, std::string hint = {}, int guest_errno = 0)
      : code_(code),
        guest_errno_(guest_errno),
        message_(message.empty() ? std::string(describe(code)) : std::move(message)),
        hint_(std::move(hint)),
        what_(std::string(to_string(code)) + ": " + message_ +
              (hint_.empty() ? std::string() : " (" + hint_ + ")")) {}

  /// What kind of failure it is: the part to decide by.
  ErrorCode code() const noexcept { return code_; }
  /// What happened: names the field, file or peer concerned. Never empty.
  const std::string& message() const noexcept { return message_; }
  /// What to do about it; empty where there is nothing to be done.
  const std::string& hint() const noexcept { return hint_; }
  /// errno(3) as the guest reported it, for ErrorCode::GuestError; else 0.
  int guest_errno() const noexcept { return guest_errno_; }
  /// True where the same call may succeed later without a change by the caller.
  bool retryable() const noexcept {
    return code_ == ErrorCode::Timeout || code_ == ErrorCode::ResourceExhausted ||
           code_ == ErrorCode::AgentUnavailable || code_ == ErrorCode::ConnectionClosed;
  }
  /// "code: message (hint)".
  const char* what() const noexcept override { return what_.c_str(); }

  friend bool operator==(const error& a, const error& b) noexcept {
    return a.code_ == b.code_ && a.message_ == b.message_ && a.hint_ == b.hint_ &&
           a.guest_errno_ == b.guest_errno_;
  }

 private:
  ErrorCode code_;
  int guest_errno_;
  std::string message_;
  std::string hint_;
  std::string what_;
};

/// An error from errno(3) of the host: maps ENOENT, EACCES/EPERM, EMFILE/ENFILE/ENOMEM/ENOSPC and
/// ETIMEDOUT to their codes, everything else to IoError. `doing` says what failed, e.g.
/// "open /dev/kvm".
inline error error_from_errno(int host_errno, std::string_view doing, std::string hint = {}) {
  ErrorCode code = ErrorCode::IoError;
  switch (host_errno) {
    case ENOENT:
    case ENOTDIR:
      code = ErrorCode::NotFound;
      break;
    case EACCES:
    case EPERM:
      code = ErrorCode::PermissionDenied;
      break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOSPC:
    case EAGAIN:
      code = ErrorCode::ResourceExhausted;
      break;
    case ETIMEDOUT:
      code = ErrorCode::Timeout;
      break;
    default:
      break;
  }
  return {code, std::string(doing) + ": " + std::generic_category().message(host_errno),
          std::move(hint)};
}

}  // namespace capsa
