#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace capsa::cli {

/// Shows how far something is: a bar that is redrawn on a terminal, one line per step elsewhere.
class ProgressBar {
 public:
  /// Draws to standard error.
  explicit ProgressBar(bool terminal) : terminal_(terminal) {}
  ~ProgressBar() { finish(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `total` is 0 where nobody knows.
  void show(std::string_view step, std::uint64_t done, std::uint64_t total);
  /// Leaves the line.
  void finish();

 private:
  bool terminal_;
  std::string shown_;
};

/// "[#####.....]  50 % download"; without a total only the step. Cut to `columns`.
std::string draw_progress(std::string_view step, std::uint64_t done, std::uint64_t total,
                          std::size_t columns);

}  // namespace capsa::cli
