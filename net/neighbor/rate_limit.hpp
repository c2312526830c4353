#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <net/packet/mac_address.hpp>
#include <unordered_map>

namespace capsa::net::neighbor {

/// How much one guest may make us send: for each MAC a bucket that holds `burst` and fills with one
/// each `interval`. Holds at most kMaxGuests; beyond them nobody new is served until one is idle.
/// Single-threaded.
class RateLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMaxGuests = 1024;

  RateLimit(std::int64_t burst, std::chrono::nanoseconds interval)
      : burst_(burst), interval_(interval) {}

  /// Takes one; false where there is none.
  bool take(const MacAddress& guest, Time now) {
    auto found = buckets_.find(guest);
    if (found == buckets_.end()) {
      if (buckets_.size() >= kMaxGuests)
        std::erase_if(buckets_, [&](const auto& entry) { return entry.second <= now; });
      if (buckets_.size() >= kMaxGuests) return false;
      found = buckets_.emplace(guest, now).first;
    }
    // A bucket is the time at which it will be full.
    const Time full = std::max(found->second, now) + interval_;
    if (full > now + interval_ * burst_) return false;
    found->second = full;
    return true;
  }

 private:
  std::int64_t burst_;
  std::chrono::nanoseconds interval_;
  std::unordered_map<MacAddress, Time> buckets_;
};

}  // namespace capsa::net::neighbor
