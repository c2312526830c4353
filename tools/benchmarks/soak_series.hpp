#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace capsa::bench {

/// One figure over a long run, and whether it grew.
class SoakSeries {
 public:
  /// What is more at the end than `percent` and `slack` above the beginning has grown.
  SoakSeries(std::string name, std::string unit, unsigned percent, std::uint64_t slack)
      : name_(std::move(name)), unit_(std::move(unit)), percent_(percent), slack_(slack) {}

  void add(std::uint64_t value) { values_.push_back(value); }
  std::uint64_t last() const { return values_.empty() ? 0 : values_.back(); }

  /// Medians of the first and the last fifth of the values: what single moments do is not seen.
  std::uint64_t begin() const;
  std::uint64_t end() const;
  bool grew() const;
  /// "fds: 61 at first, 60 at last"
  std::string to_text() const;

 private:
  std::string name_;
  std::string unit_;
  unsigned percent_;
  std::uint64_t slack_;
  std::vector<std::uint64_t> values_;
};

}  // namespace capsa::bench
