#include <pthread.h>

#include <tools/benchmarks/joins.hpp>

#include <mutex>
#include <utility>

namespace capsa::bench {

namespace {

using Moments = std::vector<std::chrono::steady_clock::time_point>;

std::pair<std::mutex, Moments>& all() {
  static std::pair<std::mutex, Moments> moments;
  return moments;
}

void remember_join() {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(all().first);
  all().second.push_back(now);
}

}  // namespace

Moments joins_since() {
  const std::lock_guard lock(all().first);
  return all().second;
}

void forget_joins() {
  const std::lock_guard lock(all().first);
  all().second.clear();
}

}  // namespace capsa::bench

// The names are the linker's.
extern "C" int __real_pthread_join(pthread_t thread, void** value);  // NOLINT
extern "C" int __wrap_pthread_join(pthread_t thread, void** value);  // NOLINT

extern "C" int __wrap_pthread_join(pthread_t thread, void** value) {  // NOLINT
  const int failed = __real_pthread_join(thread, value);
  capsa::bench::remember_join();
  return failed;
}
