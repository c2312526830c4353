#pragma once

#include <cstdint>
#include <optional>

namespace capsa::guest {

/// Frequency of this host's time stamp counter in kHz; none where it is not x86 or the counter
/// changes its pace (no invariant TSC, CPUID 0x80000007). Compared with CLOCK_MONOTONIC_RAW for
/// 10 ms, once per process: CPUID's own figure is another machine's where a hypervisor scales the
/// counter. Thread-safe.
///
/// A guest finds out by itself against an emulated timer chip, which takes it 50 ms and more, and
/// which fails where the host is busy: a guest without any clock then never comes up.
std::optional<std::uint32_t> tsc_khz();

}  // namespace capsa::guest
