#include <signal.h>

#include <algorithm>
#include <array>
#include <backends/qemu/machine_end.hpp>

namespace capsa::qemu {
namespace {

using hypervisor::EndCause;
using hypervisor::MachineEnd;

// One line for a message; QEMU's longest are about half of it.
constexpr std::size_t kMaxErrorLine = 500;

std::string_view trimmed(std::string_view line) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!line.empty() && is_space(line.front()))
    line.remove_prefix(1);
  while (!line.empty() && is_space(line.back()))
    line.remove_suffix(1);
  return line;
}

}  // namespace

bool is_final_status(std::string_view status) {
  constexpr std::array kFinal = {std::string_view("internal-error"), std::string_view("io-error"),
                                 std::string_view("guest-panicked"), std::string_view("watchdog"),
                                 std::string_view("shutdown")};
  return std::find(kFinal.begin(), kFinal.end(), status) != kFinal.end();
}

std::string first_useful_line(std::string_view errors) {
  while (!errors.empty()) {
    const auto end = errors.find('\n');
    std::string_view line = trimmed(errors.substr(0, end));
    errors.remove_prefix(end == std::string_view::npos ? errors.size() : end + 1);
    if (line.starts_with("qemu-system-")) {
      const auto colon = line.find(": ");
      if (colon != std::string_view::npos) line.remove_prefix(colon + 2);
    }
    // Behind the option that it is about, where it is about one.
    if (line.empty() || line.starts_with("warning:") ||
        line.find(": warning: ") != std::string_view::npos)
      continue;
    return std::string(line.substr(0, kMaxErrorLine));
  }
  return {};
}

void EndRecord::decide(EndCause cause, std::string message) {
  if (!end_) end_ = MachineEnd{cause, std::move(message)};
}

void EndRecord::shutdown(std::string_view reason) {
  if (reason == "guest-shutdown") return decide(EndCause::PowerOff, "the guest powered off");
  if (reason == "guest-reset" || reason == "subsystem-reset")
    return decide(EndCause::Reset, "the guest asked for a reset");
  if (reason == "guest-panic") return guest_panicked();
  if (reason == "host-signal")
    return decide(EndCause::Failed, "QEMU was told to end by a signal from outside");
  decide(EndCause::Failed, "QEMU shut down: " + std::string(reason.substr(0, kMaxErrorLine)));
}

void EndRecord::guest_panicked() {
  decide(EndCause::Panic, "the guest's kernel panicked");
}

void EndRecord::stopped_for_good(std::string_view status) {
  if (status == "guest-panicked") return guest_panicked();
  if (status == "shutdown")
    return decide(EndCause::Failed, "the guest ended before QEMU could say how");
  decide(EndCause::Failed,
         "QEMU stopped the guest: " + std::string(status.substr(0, kMaxErrorLine)));
}

void EndRecord::killed_by_us() {
  decide(EndCause::Killed, "killed");
}

void EndRecord::failed(std::string message) {
  decide(EndCause::Failed, std::move(message));
}

MachineEnd EndRecord::conclude(const ExitStatus& status, std::string_view errors) const {
  if (end_) return *end_;
  const std::string line = first_useful_line(errors);
  if (!line.empty()) return {EndCause::Failed, "QEMU: " + line};
  std::string message = "QEMU ended by itself: " + status.describe();
  if (status.signaled && status.value == SIGKILL)
    message += " (the host may be out of memory; see its kernel log)";
  return {EndCause::Failed, std::move(message)};
}

}  // namespace capsa::qemu
