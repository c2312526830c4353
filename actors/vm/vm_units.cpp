#include <actors/agent_link/agent_link.hpp>
#include <actors/loop/loop_actor.hpp>
#include <actors/machine/machine.hpp>
#include <actors/protocol/spawn.hpp>
#include <actors/share/share.hpp>
#include <actors/values/validate.hpp>
#include <actors/vm/vm_units.hpp>
#include <actors/vsock/vsock_device.hpp>
#include <actors/vsock/vsock_port.hpp>
#include <backends/qemu/machine.hpp>

#include <sys/socket.h>

namespace capsa::vm {

namespace {

// build() refuses what the machine cannot have, without knowing the machine.
static_assert(kVirtioSlots == qemu::kVirtioSlots && kVirtioSlotsAcpi == qemu::kVirtioSlotsAcpi);

/// Our end and the machine's.
result<std::pair<UniqueFd, UniqueFd>> socket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    return error_from_errno(errno, "make a socket for the machine",
                            "raise the limit of open files (ulimit -n)");
  return std::pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

virtio::fs::ShareConfig device_config(const ShareConfig& share, std::string tag) {
  virtio::fs::ShareConfig out;
  out.host_path = share.host_path;
  out.tag = std::move(tag);
  out.read_only = share.mode == MountMode::ReadOnly;
  out.ownership = share.ownership == Ownership::Squash ? virtio::fs::Ownership::Squash
                                                       : virtio::fs::Ownership::Passthrough;
  switch (share.cache) {
    case ShareCache::Auto:
      out.cache = virtio::fs::CachePolicy::Auto;
      break;
    case ShareCache::None:
      out.cache = virtio::fs::CachePolicy::None;
      break;
    case ShareCache::Always:
      out.cache = virtio::fs::CachePolicy::Always;
      break;
  }
  return out;
}

std::optional<qemu::Accelerator> qemu_accelerator(Accelerator which) {
  switch (which) {
    case Accelerator::Kvm:
      return qemu::Accelerator::Kvm;
    case Accelerator::Tcg:
      return qemu::Accelerator::Tcg;
    case Accelerator::Auto:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::string share_tag(const VmPlan& plan, std::size_t index) {
  // A sandbox's target is a path, too long for a tag; the agent mounts by these instead.
  if (plan.sandbox) return "share" + std::to_string(index);
  return plan.config.shares[index].target;
}

result<protocol::VsockPort> make_port(Services& services, loop::EpollLoop& loop,
                                      const protocol::VsockActor& vsock,
                                      const VsockPortConfig& config) {
  auto listener = vsock_units::listen_at(config.socket_path);
  if (!listener.ok()) return listener.error();
  return loop::spawn_on<protocol::VsockPort, vsock_units::PortState>(services.system, loop, vsock,
                                                                     config, std::move(*listener));
}

result<void> make_units(VmUnits& units, Services& services, loop::EpollLoop& loop,
                        const VmPlan& plan, const VmShared& shared, const protocol::VmUnit& vm,
                        const protocol::ConsoleUnit& console) {
  auto& system = services.system;
  const auto dir = services.runtime_dir.vm_dir(plan.id);
  if (!dir.ok()) return dir.error();

  hypervisor::MachineSpec spec;
  spec.name = plan.config.name;
  spec.kernel = plan.boot.kernel;
  spec.initrd = plan.boot.initrd;
  spec.command_line = plan.command_line;
  spec.cpus = plan.config.resources.cpus;
  spec.memory_mb = plan.config.resources.memory_mb;
  spec.acpi = plan.boot.acpi;
  spec.runtime_dir = *dir;
  std::vector<UniqueFd> handed_over;

  for (std::size_t i = 0; i < plan.config.shares.size(); ++i) {
    const auto tag = share_tag(plan, i);
    auto device = virtio::fs::FsDevice::create(device_config(plan.config.shares[i], tag),
                                               services.files().make_executor(loop));
    if (!device.ok()) return device.error();
    auto ends = socket_pair();
    if (!ends.ok()) return ends.error();
    spec.devices.push_back({hypervisor::VhostUserDevice::Kind::Fs, ends->second.get(), tag});
    handed_over.push_back(std::move(ends->second));
    units.shares.push_back(loop::spawn_on<actors::ShareActor, share::ShareState>(
        system, loop, std::shared_ptr<virtio::fs::FsDevice>(std::move(*device)),
        std::move(ends->first)));
  }

  if (plan.config.agent || !plan.config.vsock_ports.empty()) {
    auto ends = socket_pair();
    if (!ends.ok()) return ends.error();
    spec.devices.push_back({hypervisor::VhostUserDevice::Kind::Vsock, ends->second.get(), {}});
    handed_over.push_back(std::move(ends->second));
    units.vsock = loop::spawn_on<protocol::VsockActor, vsock_units::VsockState>(
        system, loop, std::uint64_t{plan.guest_cid}, std::move(ends->first));
    for (const auto& config : plan.config.vsock_ports) {
      auto port = make_port(services, loop, units.vsock, config);
      if (!port.ok()) return port.error();
      units.ports.emplace(config.port, std::move(*port));
    }
    if (plan.config.agent)
      units.link = protocol::spawn_state<protocol::AgentLink, agent_link::AgentLinkState>(
          system, units.vsock, vm, std::ref(services.callbacks), shared.ended_processes());
  }

  if (console) {
    auto ends = socket_pair();
    if (!ends.ok()) return ends.error();
    spec.console_fd = ends->second.get();
    handed_over.push_back(std::move(ends->second));
    caf::anon_send(console, protocol::attach_atom_v, actors::FdBox(std::move(ends->first)));
  }

  auto serial = socket_pair();
  if (!serial.ok()) return serial.error();
  spec.serial_fd = serial->second.get();
  handed_over.push_back(std::move(serial->second));

  qemu::MachineOptions options;
  options.accelerator = qemu_accelerator(plan.accelerator);
  machine::MakeMachine make = [&services, qemu = plan.qemu, spec = std::move(spec), options](
                                  Loop& where) -> result<std::unique_ptr<hypervisor::Machine>> {
    std::unique_ptr<hypervisor::Machine> made =
        std::make_unique<qemu::QemuMachine>(where, services.spawner(), qemu, spec, options);
    return made;
  };
  units.machine = loop::spawn_on<protocol::MachineActor, machine::MachineState>(
      system, loop, std::move(make), std::move(handed_over), std::move(serial->first), vm);
  return {};
}

}  // namespace capsa::vm
