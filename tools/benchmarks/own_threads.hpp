#pragma once

#include <chrono>
#include <map>
#include <string>

namespace capsa::bench {

/// CPU time that each thread of this process has used so far, by "name/thread id". From
/// /proc/self/task/*/schedstat, which counts nanoseconds; proc(5).
std::map<std::string, std::chrono::nanoseconds> own_threads();

}  // namespace capsa::bench
