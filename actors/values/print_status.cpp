#include <capsa/pool.hpp>
#include <capsa/status.hpp>
#include <ostream>

namespace capsa {
namespace {

struct Printer {
  std::string operator()(const VmStatus::Created&) const { return "created"; }
  std::string operator()(const VmStatus::Starting&) const { return "starting"; }
  std::string operator()(const VmStatus::Running&) const { return "running"; }
  std::string operator()(const VmStatus::Stopping&) const { return "stopping"; }
  std::string operator()(const VmStatus::Stopped& s) const {
    return "stopped(" + (s.exit_code ? std::to_string(*s.exit_code) : std::string("none")) + ")";
  }
  std::string operator()(const VmStatus::Failed& f) const { return "failed(" + f.message + ")"; }
};

}  // namespace

std::string to_string(const VmStatus& status) {
  return std::visit(Printer{}, status.value());
}

std::ostream& operator<<(std::ostream& out, const VmStatus& status) {
  return out << to_string(status);
}

std::string to_string(VmEvent::Kind kind) {
  switch (kind) {
    case VmEvent::Kind::StatusChanged:
      return "status_changed";
    case VmEvent::Kind::AgentReady:
      return "agent_ready";
    case VmEvent::Kind::AgentLost:
      return "agent_lost";
    case VmEvent::Kind::Paused:
      return "paused";
    case VmEvent::Kind::Resumed:
      return "resumed";
    case VmEvent::Kind::NetworkDenied:
      return "network_denied";
    case VmEvent::Kind::NetworkLogged:
      return "network_logged";
    case VmEvent::Kind::ShareFailed:
      return "share_failed";
  }
  return "unknown";
}

std::string to_string(PoolEvent::Kind kind) {
  switch (kind) {
    case PoolEvent::Kind::Available:
      return "available";
    case PoolEvent::Kind::Reserved:
      return "reserved";
    case PoolEvent::Kind::Destroyed:
      return "destroyed";
    case PoolEvent::Kind::RefillFailed:
      return "refill_failed";
    case PoolEvent::Kind::MemberLost:
      return "member_lost";
    case PoolEvent::Kind::Shutdown:
      return "shutdown";
  }
  return "unknown";
}

}  // namespace capsa
