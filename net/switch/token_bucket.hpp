#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace capsa::net {

/// How often something may happen.
struct RateLimit {
  std::uint32_t per_second = 0;  ///< 0 for no limit
  std::uint32_t burst = 0;       ///< at once, after a time of nothing; at least 1 is meant

  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// Keeps to a RateLimit. Full at first. A clock that goes back is one that stands.
class TokenBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit TokenBucket(RateLimit limit) noexcept : limit_(limit) {
    if (limit_.per_second == 0) return;
    cost_ = std::max<std::int64_t>(1, 1'000'000'000 / limit_.per_second);
    most_ = cost_ * std::max<std::int64_t>(1, limit_.burst);
    left_ = most_;
  }

  bool take(Time now) noexcept {
    if (limit_.per_second == 0) return true;
    if (now > last_ || !started_) {
      const std::int64_t passed =
          started_ ? std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_).count() : 0;
      left_ += std::min(passed, most_ - left_);
      last_ = now;
      started_ = true;
    }
    if (left_ < cost_) return false;
    left_ -= cost_;
    return true;
  }

 private:
  RateLimit limit_;
  std::int64_t cost_ = 0;  // all three in nanoseconds of waiting
  std::int64_t most_ = 0;
  std::int64_t left_ = 0;
  Time last_{};
  bool started_ = false;
};

}  // namespace capsa::net
