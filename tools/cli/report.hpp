#pragma once

#include <capsa/error.hpp>
#include <string_view>

namespace capsa::cli {

/// The exit status for failures of capsa itself, as env(1), timeout(1) and container tools have it.
inline constexpr int kOwnFailure = 125;
inline constexpr int kNotExecutable = 126;
inline constexpr int kNotFound = 127;
/// A command that was given --timeout and did not end in time, as timeout(1) has it.
inline constexpr int kTimedOut = 124;

/// What happened, and on a second line what to do about it, to standard error. Gives kOwnFailure.
int report(const error& what);

/// "capsa: TEXT" to standard error.
void say(std::string_view text);

/// The exit status for a command that did not start: 126, 127 or kOwnFailure.
int status_of_failed_start(const error& what) noexcept;

}  // namespace capsa::cli
