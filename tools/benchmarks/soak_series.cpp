#include <tools/benchmarks/soak_series.hpp>

#include <algorithm>
#include <span>

namespace capsa::bench {

namespace {

std::uint64_t median(std::span<const std::uint64_t> values) {
  std::vector<std::uint64_t> sorted(values.begin(), values.end());
  if (sorted.empty()) return 0;
  std::sort(sorted.begin(), sorted.end());
  return sorted[(sorted.size() - 1) / 2];
}

std::size_t fifth(std::size_t count) {
  return std::max<std::size_t>(count / 5, 1);
}

}  // namespace

std::uint64_t SoakSeries::begin() const {
  const std::span all(values_);
  return median(all.first(std::min(fifth(all.size()), all.size())));
}

std::uint64_t SoakSeries::end() const {
  const std::span all(values_);
  return median(all.last(std::min(fifth(all.size()), all.size())));
}

bool SoakSeries::grew() const {
  return end() > begin() + begin() * percent_ / 100 + slack_;
}

std::string SoakSeries::to_text() const {
  const std::string unit = unit_.empty() ? "" : " " + unit_;
  return name_ + ": " + std::to_string(begin()) + unit + " at first, " + std::to_string(end()) +
         unit + " at last" + (grew() ? ": GREW" : "");
}

}  // namespace capsa::bench
