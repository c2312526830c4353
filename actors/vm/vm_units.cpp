#include <actors/agent_link/agent_link.hpp>
#include <actors/disk/disk.hpp>
#include <actors/loop/loop_actor.hpp>
#include <actors/machine/machine.hpp>
#include <actors/network/clusters.hpp>
#include <actors/network/host_nat_plan.hpp>
#include <actors/network/net_port.hpp>
#include <actors/network/net_switch.hpp>
#include <actors/protocol/spawn.hpp>
#include <actors/share/share.hpp>
#include <actors/values/validate.hpp>
#include <actors/vm/vm_units.hpp>
#include <actors/vsock/vsock_device.hpp>
#include <actors/vsock/vsock_port.hpp>
#include <backends/firmware/variable_store.hpp>
#include <backends/kvm/machine.hpp>
#include <backends/qemu/machine.hpp>
#include <backends/vhost_user/accepting_link.hpp>
#include <backends/virtio/mmio/transport.hpp>

#include <sys/socket.h>

namespace capsa::vm {

namespace {

// build() refuses what the machine cannot have, without knowing the machine.
static_assert(kVirtioSlots == qemu::kVirtioSlots && kVirtioSlotsAcpi == qemu::kVirtioSlotsAcpi);

// One for each vCPU saves it locks; beyond that they only cost memory, as one thread serves all.
constexpr unsigned kMaxDiskQueues = 4;

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

/// A device that is to be made, as the machine and as its actor see it.
struct Connection {
  hypervisor::DeviceSpec spec;
  protocol::LinkDevice link;
};

/// `handed_over` keeps what the machine borrows until it has started.
result<Connection> connect_device(Backend backend, hypervisor::DeviceSpec spec,
                                  std::vector<UniqueFd>& handed_over) {
  if (backend == Backend::Kvm) {
    spec.slot = std::make_shared<virtio::mmio::Slot>();
    return Connection{spec, [slot = spec.slot](Loop& loop, virtio::Device& device,
                                               const virtio::DeviceLink::OnClosed&) {
                        slot->transport = virtio::mmio::Transport::create(loop, device);
                        return slot->transport;
                      }};
  }
  if (!spec.socket.empty()) {
    auto listener = vhost_user::listen_for_hypervisor(spec.socket);
    if (!listener.ok()) return listener.error();
    return Connection{
        spec, [path = spec.socket, ours = std::make_shared<UniqueFd>(std::move(*listener))](
                  Loop& loop, virtio::Device& device, virtio::DeviceLink::OnClosed on_closed) {
          return std::make_shared<vhost_user::AcceptingLink>(loop, std::move(*ours), path, device,
                                                             std::move(on_closed));
        }};
  }
  auto ends = socket_pair();
  if (!ends.ok()) return ends.error();
  spec.fd = ends->second.get();
  handed_over.push_back(std::move(ends->second));
  return Connection{
      spec, [ours = std::make_shared<UniqueFd>(std::move(ends->first))](
                Loop& loop, virtio::Device& device, virtio::DeviceLink::OnClosed on_closed) {
        return std::make_shared<vhost_user::Server>(loop, std::move(*ours), device,
                                                    std::move(on_closed));
      }};
}

void spawn_own_network(VmUnits& units, Services& services, network::NatPlan nat) {
  auto& loop = services.network().loop;
  units.net_switch =
      loop::spawn_on<protocol::SwitchUnit, network::NetSwitchState>(services.system, loop);
  units.nat = loop::spawn_on<protocol::NatUnit, network::NatState>(
      services.system, loop, std::move(nat), units.net_switch);
}

/// A network of its own, or a place in a cluster. Gives what the card is made of.
result<network::NetPortPlan> join_network(VmUnits& units, Services& services, const VmPlan& plan,
                                          const std::filesystem::path& dir,
                                          network::VmGuard::OnEvent on_event) {
  const auto& name = plan.config.name;
  network::MemberPlan member;
  if (const auto* place = plan.config.network.get_if<ClusterMembership>()) {
    auto joined = services.clusters().join(*place, name, std::move(on_event));
    if (!joined.ok()) return joined.error();
    units.net_switch = joined->net_switch;
    units.nat = joined->nat;
    units.shared_network = true;
    units.station.value = std::make_shared<const network::Station>(joined->member.station);
    member = std::move(joined->member);
  } else if (const auto* host_nat = plan.config.network.get_if<HostNatConfig>()) {
    network::HostNatRequest request;
    request.config = *host_nat;
    request.name = name;
    request.mac = plan.mac;
    request.directory = dir;
    request.spawner = &services.spawner();
    request.on_event = std::move(on_event);
    auto made = network::plan_host_nat(services.network(), std::move(request));
    if (!made.ok()) return made.error();
    member = std::move(made->member);
    spawn_own_network(units, services, std::move(made->nat));
    units.uplink = loop::spawn_on<protocol::UplinkUnit, network::HostUplinkState>(
        services.system, services.network().loop, std::move(made->uplink), units.net_switch);
  } else {
    const auto& config = *plan.config.network.get_if<UserNatConfig>();
    const auto addresses = network_addresses(config);
    if (!addresses.ok()) return addresses.error();
    network::GatewayRequest gateway;
    gateway.addresses = *addresses;
    if (config.ipv6) gateway.prefix6 = network::network_prefix6(1);
    gateway.resolvers = config.resolvers;
    gateway.host_loopback = config.host_loopback;
    auto nat = network::plan_gateway(services.network(), gateway);
    if (!nat.ok()) return nat.error();
    network::MemberRequest request;
    request.name = name;
    request.mac = config.mac.empty() ? plan.mac : *net::MacAddress::parse(config.mac);
    request.address = addresses->dhcp_start;
    request.forwards = config.port_forwards;
    request.policy = config.policy;
    request.queues = config.queues;
    request.on_event = std::move(on_event);
    member = network::plan_member(services.network(), *nat, std::move(request));
    nat->stations.push_back(member.station);
    spawn_own_network(units, services, std::move(*nat));
  }
  units.card_port = member.card.wire;
  units.interface = std::move(member.interface);
  units.resolver = std::move(member.resolver);
  return std::move(member.card);
}

/// What the machine starts with: a kernel, or firmware and the file with its variables. With that
/// goes the file's lock, which lasts as long as the machine.
result<void> set_boot(hypervisor::MachineSpec& spec, const VmPlan& plan,
                      std::vector<UniqueFd>& handed_over) {
  spec.command_line = plan.command_line;
  if (const auto* kernel = std::get_if<LinuxDirectBootConfig>(&plan.boot)) {
    spec.kernel = kernel->kernel;
    spec.initrd = kernel->initrd;
    spec.acpi = kernel->acpi;
    return {};
  }
  const auto& uefi = std::get<UefiBootConfig>(plan.boot);
  auto store = uefi.efi_variable_store
                   ? firmware::open_variable_store(*uefi.efi_variable_store, *plan.firmware,
                                                   uefi.create_variable_store)
                   : firmware::make_nameless_store(*plan.firmware);
  if (!store.ok()) return store.error();
  spec.firmware = {plan.firmware->code, store->get(), uefi.secure_boot};
  handed_over.push_back(std::move(*store));
  return {};
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

machine::MakeMachine machine_maker(Services& services, const VmPlan& plan,
                                   hypervisor::MachineSpec spec) {
  using Made = result<std::unique_ptr<hypervisor::Machine>>;
  if (plan.backend == Backend::Kvm)
    return [spec = std::move(spec)](Loop& where) -> Made {
      return std::unique_ptr<hypervisor::Machine>(std::make_unique<kvm::KvmMachine>(where, spec));
    };
  qemu::MachineOptions options;
  options.accelerator = qemu_accelerator(plan.accelerator);
  return [&services, qemu = plan.qemu, spec = std::move(spec), options](Loop& where) -> Made {
    return std::unique_ptr<hypervisor::Machine>(
        std::make_unique<qemu::QemuMachine>(where, services.spawner(), qemu, spec, options));
  };
}

}  // namespace

std::vector<VmDisk> disks_of(const BootConfig& boot, const VmConfig& config) {
  std::vector<VmDisk> out;
  // Linux: vda to vdz, then vdaa; a machine has far fewer.
  const auto add = [&out](const DiskImage& image) {
    out.push_back({image, std::string("/dev/vd") + static_cast<char>('a' + out.size())});
  };
  if (const auto* uefi = std::get_if<UefiBootConfig>(&boot)) add(uefi->disk);
  const auto* kernel = std::get_if<LinuxDirectBootConfig>(&boot);
  if (kernel != nullptr && kernel->root_disk) add(*kernel->root_disk);
  for (const auto& image : config.disks)
    add(image);
  return out;
}

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
  spec.cpus = plan.config.resources.cpus;
  spec.memory_mb = plan.config.resources.memory_mb;
  spec.nested = plan.config.nested;
  spec.runtime_dir = *dir;
  std::vector<UniqueFd> handed_over;
  if (auto set = set_boot(spec, plan, handed_over); !set.ok()) return set.error();

  for (std::size_t i = 0; i < plan.config.shares.size(); ++i) {
    const auto tag = share_tag(plan, i);
    auto device = virtio::fs::FsDevice::create(device_config(plan.config.shares[i], tag),
                                               services.files().make_executor(loop));
    if (!device.ok()) return device.error();
    auto connection = connect_device(
        plan.backend, {hypervisor::DeviceSpec::Kind::Fs, -1, tag, 1, nullptr}, handed_over);
    if (!connection.ok()) return connection.error();
    spec.devices.push_back(connection->spec);
    units.shares.push_back(loop::spawn_on<actors::ShareActor, share::ShareState>(
        system, loop, std::shared_ptr<virtio::fs::FsDevice>(std::move(*device)),
        std::move(connection->link)));
  }

  // Gives the actor of a disk, and the machine its device.
  const auto add_disk =
      [&](DiskImage image, const std::string& device,
          std::vector<std::filesystem::path> layers) -> result<protocol::DiskUnit> {
    disk::DiskPlan disk;
    disk.image = std::move(image);
    disk.layers = std::move(layers);
    disk.name = device.substr(device.rfind('/') + 1);
    disk.directory = *dir;
    disk.scratch = services.scratch_dir();
    disk.queues = static_cast<std::uint16_t>(std::min(plan.config.resources.cpus, kMaxDiskQueues));
    disk.file_io = [&services, &loop] { return services.file_io(loop); };
    disk.spawner = &services.spawner();
    auto connection = connect_device(
        plan.backend, {hypervisor::DeviceSpec::Kind::Block, -1, {}, disk.queues, nullptr},
        handed_over);
    if (!connection.ok()) return connection.error();
    spec.devices.push_back(connection->spec);
    return loop::spawn_on<protocol::DiskUnit, disk::DiskState>(system, loop, std::move(disk),
                                                               std::move(connection->link));
  };
  for (const auto& [image, device] : disks_of(plan.boot, plan.config)) {
    auto unit = add_disk(image, device, {});
    if (!unit.ok()) return unit.error();
    units.disks.push_back(std::move(*unit));
  }
  if (plan.image) {
    auto unit = add_disk(DiskImage(plan.image->reference).with_serial("capsa-image"),
                         image_device(plan), plan.image->layers);
    if (!unit.ok()) return unit.error();
    units.image = std::move(*unit);
  }

  if (!plan.config.network.is<NetworkMode::None>()) {
    auto card =
        join_network(units, services, plan, *dir, [vm](VmEvent::Kind kind, std::string what) {
          VmEvent event;
          event.kind = kind;
          event.cause = std::move(what);
          caf::anon_send(vm, protocol::flow_atom_v, std::move(event));
        });
    if (!card.ok()) return card.error();
    auto connection = connect_device(
        plan.backend,
        {hypervisor::DeviceSpec::Kind::Net, -1, card->port.mac->to_string(), card->card.queue_pairs,
         nullptr, plan.backend == Backend::Qemu ? *dir / "net.sock" : ""},
        handed_over);
    if (!connection.ok()) return connection.error();
    spec.devices.push_back(connection->spec);
    units.card = loop::spawn_on<protocol::NetPortUnit, network::NetPortState>(
        system, loop, std::move(*card), units.net_switch, std::move(connection->link));
  }

  if (plan.config.agent || !plan.config.vsock_ports.empty()) {
    auto connection = connect_device(
        plan.backend, {hypervisor::DeviceSpec::Kind::Vsock, -1, {}, 1, nullptr}, handed_over);
    if (!connection.ok()) return connection.error();
    spec.devices.push_back(connection->spec);
    units.vsock = loop::spawn_on<protocol::VsockActor, vsock_units::VsockState>(
        system, loop, std::uint64_t{plan.guest_cid}, std::move(connection->link));
    for (const auto& config : plan.config.vsock_ports) {
      auto port = make_port(services, loop, units.vsock, config);
      if (!port.ok()) return port.error();
      units.ports.emplace(config.port, std::move(*port));
    }
    if (plan.config.agent)
      units.link = protocol::spawn_state<protocol::AgentLink, agent_link::AgentLinkState>(
          system, units.vsock, vm, std::ref(services.callbacks), shared.ended_processes(),
          agent_link::AgentLinkState::MakePool(
              [&services, &loop] { return services.files().make_executor(loop); }));
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

  units.machine = loop::spawn_on<protocol::MachineActor, machine::MachineState>(
      system, loop, machine_maker(services, plan, std::move(spec)), std::move(handed_over),
      std::move(serial->first), services.files().make_executor(loop), vm);
  return {};
}

}  // namespace capsa::vm
