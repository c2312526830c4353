#pragma once

#include <capsa/status.hpp>
#include <capsa/vm.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace capsa::metrics {

/// What is known of one VM.
struct VmSample {
  std::string id;    ///< unique in the runtime
  std::string name;  ///< the user's: anything but control characters, and not unique
  VmStatus status;
  std::optional<VmStats> stats;  ///< while its machine runs
};

/// What is known of a runtime at one time.
struct RuntimeSample {
  std::vector<VmSample> vms;     ///< those that answered
  std::uint64_t unanswered = 0;  ///< VMs that did not, in time
  std::uint64_t boots = 0;       ///< machines that ran, since the start of the runtime
  std::uint64_t failures = 0;    ///< VMs that failed, likewise
  std::uint64_t callbacks_queued = 0;
  std::uint64_t io_loops = 0;
};

/// All of it in Prometheus' text format. Pure.
std::string prometheus_text(const RuntimeSample& sample);

}  // namespace capsa::metrics
