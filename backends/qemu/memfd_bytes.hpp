#pragma once

#include <sys/types.h>

#include <capsa/result.hpp>
#include <cstdint>
#include <string_view>

namespace capsa::qemu {

/// The name that QEMU gives the memfd of a guest's memory.
inline constexpr std::string_view kMemoryBackend = "memory-backend-memfd";

/// How many bytes the host holds for the memfds of this name that a process has open, in memory or
/// in swap: what was written and not given back. Reads proc(5), never the memory. NotRunning where
/// the process has none, or is gone.
result<std::uint64_t> memfd_bytes(pid_t pid, std::string_view name);

}  // namespace capsa::qemu
