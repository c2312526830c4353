#pragma once

#include <actors/facade/impl.hpp>
#include <capsa/sandbox.hpp>
#include <optional>
#include <string>

namespace capsa::facade {

/// What every guest of ours boots with, before the user's own arguments.
std::string_view default_arguments();

/// A VM that is to be made, with all that its builder has collected.
struct VmRequest {
  VmConfig config;
  BootConfig boot;
  std::string defaults;  ///< of the kernel command line
  std::optional<SandboxCommand> sandbox;
  std::optional<vm::ImageRoot> image;
};

/// The request for a sandbox: its image pulled and its command completed by that, which blocks, its
/// guest looked up, its agent's port added.
result<VmRequest> sandbox_request(VmConfig config, SandboxConfig sandbox);

/// A VM without a handle: whoever has it ends it by drop_atom.
struct MadeVm {
  std::shared_ptr<const vm::VmPlan> plan;
  std::shared_ptr<vm::VmShared> shared;
  caf::strong_actor_ptr actor;
};

/// Checks all of it and makes the VM, Created. Reads the file system; thread-safe.
result<MadeVm> make_vm(Services& services, const detail::RuntimeImpl::AddVm& add,
                       VmRequest request);
/// The first handle of a VM.
VmHandle handle_of(const std::shared_ptr<detail::RuntimeImpl>& runtime, MadeVm made);
/// Both.
result<VmHandle> make_vm(const std::shared_ptr<detail::RuntimeImpl>& runtime, VmRequest request);

/// The same VM, once its machine runs.
future<VmHandle> start_vm(const VmHandle& vm);

}  // namespace capsa::facade
