#pragma once

#include <sys/types.h>

#include <backends/hypervisor.hpp>
#include <capsa/result.hpp>
#include <vector>

namespace capsa::hypervisor {

/// CPU time of one thread of this or another process, from proc(5) /proc/PID/task/TID/stat: in
/// steps of a clock tick (10 ms), never going back. What a guest runs counts as user time.
/// NotRunning where the thread is gone.
result<VcpuStats> thread_stats(pid_t pid, pid_t thread);

/// Restricts a thread of this or another process to these host CPUs (sched_setaffinity(2)).
/// InvalidConfig for an empty list and for CPUs that the host does not have or that we may not use.
result<void> pin_thread(pid_t pid, pid_t thread, const std::vector<unsigned>& host_cpus);

}  // namespace capsa::hypervisor
