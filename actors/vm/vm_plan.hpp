#pragma once

#include <actors/protocol/ended_processes.hpp>
#include <backends/firmware/ovmf.hpp>
#include <backends/qemu/probe.hpp>
#include <capsa/config.hpp>
#include <capsa/sandbox.hpp>
#include <capsa/status.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <net/packet/mac_address.hpp>
#include <optional>
#include <string>
#include <vector>

namespace capsa::vm {

/// What a sandbox has as its root where it runs an image.
struct ImageRoot {
  std::string reference;
  std::vector<std::filesystem::path> layers;  ///< EROFS, lowest first
  std::uint64_t scratch_mb = 0;               ///< 0: as much as a tmpfs takes by itself
  std::vector<std::string> directories;       ///< to be there before anything runs
  int stop_signal = 15;
};

/// A VM as build() has checked it: all that is needed to boot it, any number of times.
struct VmPlan {
  std::string id;   ///< names its directory; unique in the runtime
  VmConfig config;  ///< paths absolute, the name set, every vsock port with its socket's path
  BootConfig boot;
  std::string command_line;
  std::optional<SandboxCommand> sandbox;
  std::optional<ImageRoot> image;  ///< of a sandbox
  std::uint32_t guest_cid = 3;
  net::MacAddress mac;  ///< of its card where the user has not chosen one: of all boots the same
  /// Qemu, or Kvm: what Auto has come to.
  Backend backend = Backend::Qemu;
  qemu::QemuInfo qemu;  ///< Backend::Qemu
  Accelerator accelerator = Accelerator::Auto;
  std::optional<firmware::Ovmf> firmware;  ///< where a disk is booted

  /// Whether it is a sandbox that ends with its command; one without lives until stop().
  bool runs_command() const {
    return sandbox && (!sandbox->exec.argv.empty() || !sandbox->exec.shell.empty());
  }
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
