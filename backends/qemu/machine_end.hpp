#pragma once

#include <backends/hypervisor.hpp>
#include <backends/qemu/child_process.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace capsa::qemu {

/// Collects what tells how a machine ended; the first word counts. No I/O.
class EndRecord {
 public:
  /// A SHUTDOWN event with its "reason" (QAPI ShutdownCause).
  void shutdown(std::string_view reason);
  void guest_panicked();
  /// The guest cannot run on: a "status" of query-status (QAPI RunState) that is final.
  void stopped_for_good(std::string_view status);
  void killed_by_us();
  void failed(std::string message);

  bool decided() const noexcept { return end_.has_value(); }

  /// The verdict, once the process has ended. Where nothing was said before, it is a failure in
  /// QEMU's own words: the first line of `errors` that is not a warning.
  hypervisor::MachineEnd conclude(const ExitStatus& status, std::string_view errors) const;

 private:
  void decide(hypervisor::EndCause cause, std::string message);

  std::optional<hypervisor::MachineEnd> end_;
};

/// True for run states that nothing but the end of QEMU follows.
bool is_final_status(std::string_view status);

/// The first line that says what is wrong, without the program's name in front; empty if none.
std::string first_useful_line(std::string_view errors);

}  // namespace capsa::qemu
