#pragma once

#include <cstdint>

namespace capsa::bench {

/// How often the calling thread has asked operator new for memory, since it began. Of the whole
/// program, which replaces that operator.
std::uint64_t allocations_here() noexcept;

}  // namespace capsa::bench
