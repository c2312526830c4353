#pragma once

#include <actors/protocol/internal.hpp>
#include <actors/protocol/network.hpp>
#include <actors/runtime/services.hpp>
#include <actors/vm/vm_plan.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace capsa::vm {

/// The actors of one boot.
struct VmUnits {
  protocol::MachineActor machine;
  protocol::VsockActor vsock;
  protocol::AgentLink link;
  std::map<std::uint32_t, protocol::VsockPort> ports;
  std::vector<actors::ShareActor> shares;
  std::vector<protocol::DiskUnit> disks;
  protocol::DiskUnit image;  ///< the layers of a sandbox's image, behind the others
  std::vector<actors::VcpuActor> vcpus;
  protocol::NetPortUnit card;
  protocol::SwitchUnit net_switch;
  protocol::NatUnit nat;
  protocol::UplinkUnit uplink;             ///< of a network behind the host's own NAT
  bool shared_network = false;             ///< a cluster's, which does not end with this boot
  protocol::StationBox station;            ///< to be enrolled with a cluster's gateway
  actors::SwitchPort card_port = 0;        ///< where it is plugged in
  std::optional<InterfaceSpec> interface;  ///< what the card is to be given by the agent
  std::string resolver;                    ///< what the guest is to be told by the agent

  template <class F>
  void for_each(F f) const {
    if (machine) f(caf::actor_cast<caf::strong_actor_ptr>(machine));
    if (vsock) f(caf::actor_cast<caf::strong_actor_ptr>(vsock));
    if (link) f(caf::actor_cast<caf::strong_actor_ptr>(link));
    for (const auto& [port, actor] : ports)
      f(caf::actor_cast<caf::strong_actor_ptr>(actor));
    for (const auto& actor : shares)
      f(caf::actor_cast<caf::strong_actor_ptr>(actor));
    for (const auto& actor : disks)
      f(caf::actor_cast<caf::strong_actor_ptr>(actor));
    if (image) f(caf::actor_cast<caf::strong_actor_ptr>(image));
    if (card) f(caf::actor_cast<caf::strong_actor_ptr>(card));
    if (net_switch && !shared_network) f(caf::actor_cast<caf::strong_actor_ptr>(net_switch));
    if (nat && !shared_network) f(caf::actor_cast<caf::strong_actor_ptr>(nat));
    if (uplink) f(caf::actor_cast<caf::strong_actor_ptr>(uplink));
    for (const auto& actor : vcpus)
      f(caf::actor_cast<caf::strong_actor_ptr>(actor));
  }
};

/// Makes everything that one boot needs, and the machine last, not yet booting. On an error what
/// was made is in `units` and has to be ended by the caller.
result<void> make_units(VmUnits& units, Services& services, loop::EpollLoop& loop,
                        const VmPlan& plan, const VmShared& shared, const protocol::VmUnit& vm,
                        const protocol::ConsoleUnit& console);

/// A port of a running machine; also in place of one that failed.
result<protocol::VsockPort> make_port(Services& services, loop::EpollLoop& loop,
                                      const protocol::VsockActor& vsock,
                                      const VsockPortConfig& config);

/// The disks of a VM in their order, the root disk first.
std::vector<VmDisk> disks_of(const BootConfig& boot, const VmConfig& config);
/// Where the guest finds the layers of its image, as partitions: "/dev/vdb".
std::string image_device(const VmPlan& plan);

/// The tag of a share: what the guest mounts.
std::string share_tag(const VmPlan& plan, std::size_t index);

}  // namespace capsa::vm
