#pragma once

#include <chrono>
#include <vector>

namespace capsa::bench {

/// When this process joined threads of its own (pthread_join(3)), without a look at them that would
/// take time from those who end: the library's calls go through here, by the linker's --wrap.
std::vector<std::chrono::steady_clock::time_point> joins_since();
void forget_joins();

}  // namespace capsa::bench
