#include <actors/guest/tsc.hpp>
#include <cmath>

#if defined(__x86_64__)
#include <cpuid.h>
#include <time.h>
#include <x86intrin.h>

#include <limits>
#endif

namespace capsa::guest {
#if defined(__x86_64__)
namespace {

struct Sample {
  std::uint64_t ticks = 0;
  std::uint64_t nanoseconds = 0;
};

std::uint64_t raw_nanoseconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// Both clocks at one moment: the tightest of a few readings, so that losing the CPU in between
/// does not count.
Sample sample() {
  Sample best;
  auto width = std::numeric_limits<std::uint64_t>::max();
  for (int i = 0; i < 8; ++i) {
    const std::uint64_t before = __rdtsc();
    const std::uint64_t nanoseconds = raw_nanoseconds();
    const std::uint64_t after = __rdtsc();
    if (after - before >= width) continue;
    width = after - before;
    best = {before + width / 2, nanoseconds};
  }
  return best;
}

bool has_invariant_tsc() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;
}

std::optional<std::uint32_t> find_khz() {
  if (!has_invariant_tsc()) return {};
  const Sample first = sample();
  // A longer sleep, on a busy host, only makes the result better.
  const timespec pause = {0, 10'000'000};
  ::nanosleep(&pause, nullptr);
  const Sample last = sample();
  if (last.ticks <= first.ticks || last.nanoseconds <= first.nanoseconds) return {};
  const double khz = static_cast<double>(last.ticks - first.ticks) * 1e6 /
                     static_cast<double>(last.nanoseconds - first.nanoseconds);
  if (khz < 1e5 || khz > 2e7) return {};  // 100 MHz to 20 GHz: nothing else is a real counter
  return static_cast<std::uint32_t>(std::lround(khz));
}

}  // namespace

std::optional<std::uint32_t> tsc_khz() {
  static const std::optional<std::uint32_t> khz = find_khz();
  return khz;
}
#else
std::optional<std::uint32_t> tsc_khz() {
  return {};
}
#endif

}  // namespace capsa::guest
