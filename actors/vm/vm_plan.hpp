#pragma once

#include <actors/protocol/ended_processes.hpp>
#include <backends/qemu/probe.hpp>
#include <capsa/config.hpp>
#include <capsa/sandbox.hpp>
#include <capsa/status.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <net/packet/mac_address.hpp>
#include <optional>
#include <string>
#include <vector>

namespace capsa::vm {

/// A VM as build() has checked it: all that is needed to boot it, any number of times.
struct VmPlan {
  std::string id;   ///< names its directory; unique in the runtime
  VmConfig config;  ///< paths absolute, the name set, every vsock port with its socket's path
  LinuxDirectBootConfig boot;
  std::string command_line;
  std::optional<SandboxCommand> sandbox;
  std::uint32_t guest_cid = 3;
  net::MacAddress mac;  ///< of its card where the user has not chosen one: of all boots the same
  /// Qemu, or Kvm: what Auto has come to.
  Backend backend = Backend::Qemu;
  qemu::QemuInfo qemu;  ///< Backend::Qemu
  Accelerator accelerator = Accelerator::Auto;
};

/// What handles may read without asking the actor.
class VmShared {
 public:
  VmStatus status() const {
    std::lock_guard lock(mutex_);
    return status_;
  }
  void set_status(VmStatus status) {
    std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  /// Of all boots.
  const std::shared_ptr<protocol::EndedProcesses>& ended_processes() const noexcept {
    return ended_processes_;
  }

 private:
  mutable std::mutex mutex_;  // guards status_
  VmStatus status_;
  const std::shared_ptr<protocol::EndedProcesses> ended_processes_ =
      std::make_shared<protocol::EndedProcesses>();
};

}  // namespace capsa::vm
