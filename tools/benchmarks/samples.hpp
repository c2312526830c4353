#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace capsa::bench {

/// Measured times, in the order they were taken.
class Samples {
 public:
  void add(std::chrono::nanoseconds one) { values_.push_back(one); }
  std::size_t count() const noexcept { return values_.size(); }
  const std::vector<std::chrono::nanoseconds>& values() const noexcept { return values_; }
  /// By the nearest rank: a value that was really seen. `percent` 1 to 100; zero without samples.
  std::chrono::nanoseconds percentile(unsigned percent) const;
  std::chrono::nanoseconds median() const { return percentile(50); }

 private:
  std::vector<std::chrono::nanoseconds> values_;
};

/// How much longer `ours` takes than `theirs`, round by round, and of that the median: what a busy
/// moment of the host does to one round it does to both.
double median_ratio(const Samples& ours, const Samples& theirs);

/// Prints medians and quartiles of both, and their ratio.
void print_beside(const char* ours_name, const Samples& ours, const char* theirs_name,
                  const Samples& theirs);

/// "1.234 s", "12.3 ms" or "45 us".
std::string to_text(std::chrono::nanoseconds time);

/// The host's load averages and CPUs, for whoever reads the figures.
std::string load_text();

}  // namespace capsa::bench
