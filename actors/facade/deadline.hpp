#pragma once

#include <actors/values/longest_wait.hpp>
#include <algorithm>
#include <chrono>
#include <optional>

namespace capsa::facade {

/// A bound that is none.
inline constexpr std::chrono::nanoseconds kForever = std::chrono::nanoseconds::max();

/// What a user gives, who may mean "for ever" by milliseconds::max() and "only look" by anything
/// that is not positive.
constexpr std::chrono::nanoseconds bounded(std::chrono::milliseconds given) {
  if (given > kLongestWait) return kForever;
  return std::max(given, std::chrono::milliseconds(0));
}

/// Until when a call of the user may take. Made once for each call and handed from one request to
/// the next, so that all of them together keep it.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  /// Never.
  Deadline() = default;
  /// So long from now; what is not positive has passed already.
  Deadline(std::chrono::nanoseconds left) {  // NOLINT: implicit
    if (left <= kLongestWait) at_ = Clock::now() + std::max(left, std::chrono::nanoseconds(0));
  }

  /// Nothing where it never comes.
  const std::optional<Clock::time_point>& at() const noexcept { return at_; }
  bool passed() const { return at_ && *at_ <= Clock::now(); }
  /// kForever where it never comes; not negative.
  std::chrono::nanoseconds left() const {
    if (!at_) return kForever;
    return std::max<std::chrono::nanoseconds>(*at_ - Clock::now(), std::chrono::nanoseconds(0));
  }

 private:
  std::optional<Clock::time_point> at_;
};

}  // namespace capsa::facade
