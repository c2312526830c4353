#pragma once

#include <chrono>

namespace capsa {

/// The longest bound that is one: deadlines and timers count in nanoseconds, of which 63 bits hold
/// three centuries from any time of a running machine on. What is longer never ends.
inline constexpr std::chrono::hours kLongestWait{24 * 36500};

}  // namespace capsa
