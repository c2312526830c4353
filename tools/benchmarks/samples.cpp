#include <tools/benchmarks/samples.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace capsa::bench {

std::chrono::nanoseconds Samples::percentile(unsigned percent) const {
  if (values_.empty()) return {};
  auto sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = (sorted.size() * std::clamp(percent, 1U, 100U) + 99) / 100;
  return sorted[rank - 1];
}

double median_ratio(const Samples& ours, const Samples& theirs) {
  std::vector<double> ratios;
  const auto rounds = std::min(ours.count(), theirs.count());
  for (std::size_t i = 0; i < rounds; ++i)
    ratios.push_back(std::chrono::duration<double>(ours.values()[i]) / theirs.values()[i]);
  if (ratios.empty()) return 0;
  std::sort(ratios.begin(), ratios.end());
  return ratios[ratios.size() / 2];
}

void print_beside(const char* ours_name, const Samples& ours, const char* theirs_name,
                  const Samples& theirs) {
  const auto print = [](const char* what, const Samples& samples) {
    std::printf("  %-10s median %-9s  p25 %-9s  p75 %-9s\n", what,
                to_text(samples.median()).c_str(), to_text(samples.percentile(25)).c_str(),
                to_text(samples.percentile(75)).c_str());
  };
  print(ours_name, ours);
  print(theirs_name, theirs);
  std::printf("  %s / %s: %.3f (median of the rounds' ratios), %.3f (ratio of the medians)\n",
              ours_name, theirs_name, median_ratio(ours, theirs),
              std::chrono::duration<double>(ours.median()) / theirs.median());
}

std::string to_text(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::duration<double>(time).count();
  std::array<char, 32> text{};
  if (seconds >= 1)
    std::snprintf(text.data(), text.size(), "%.3f s", seconds);
  else if (seconds >= 0.001)
    std::snprintf(text.data(), text.size(), "%.2f ms", seconds * 1e3);
  else
    std::snprintf(text.data(), text.size(), "%.0f us", seconds * 1e6);
  return text.data();
}

std::string load_text() {
  std::array<double, 3> load{};
  std::array<char, 64> text{};
  if (::getloadavg(load.data(), 3) != 3) return "load unknown";
  std::snprintf(text.data(), text.size(), "load %.2f %.2f %.2f on %u CPUs", load[0], load[1],
                load[2], std::thread::hardware_concurrency());
  return text.data();
}

}  // namespace capsa::bench
