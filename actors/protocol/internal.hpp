#pragma once

/// \file What the units say to each other. Nothing here is public, and nothing of it travels to
/// another process.

#include <backends/hypervisor.hpp>
#include <capsa/actors.hpp>

namespace capsa::protocol {

/// One vsock connection of a VM: counted in the upper half, so that none is named twice; the
/// guest's port in the lower, by which an endpoint may tell who connected.
using ConnectionId = std::uint64_t;

/// Who asks for a pause: not one vCPU but the VM's user.
inline constexpr std::uint32_t kWholeVm = ~0U;

constexpr ConnectionId connection_id(std::uint32_t count, std::uint32_t guest_port) {
  return (static_cast<ConnectionId>(count) << 32) | guest_port;
}
constexpr std::uint32_t guest_port(ConnectionId connection) {
  return static_cast<std::uint32_t>(connection);
}

/// A value on its way between actors that CAF cannot and need not look into.
template <class T>
struct Box {
  std::shared_ptr<const T> value;
};
template <class T>
Box<T> box(T value) {
  return {std::make_shared<const T>(std::move(value))};
}

using VcpuInfos = Box<std::vector<hypervisor::VcpuInfo>>;
/// How a machine ended, with what its kernel said last.
struct MachineReport {
  hypervisor::MachineEnd end;
  bool panicked = false;
  std::string kernel_log;
};
using EndBox = Box<MachineReport>;
/// What a machine has used of the host.
struct MachineUse {
  std::chrono::nanoseconds cpu_time{0};     ///< of all vCPUs
  std::uint64_t resident_memory_bytes = 0;  ///< see VmStats
};
using UseBox = Box<MachineUse>;
/// A VM as metrics show it.
struct VmScrape {
  std::string id;
  std::string name;
  VmStatus status;
  std::optional<VmStats> stats;  ///< while its machine runs
};
using ScrapeBox = Box<VmScrape>;
using SetupBox = Box<SetupSpec>;
/// A VM that was made for a pool, Created, and what destroys it when it is dropped.
struct PoolMember {
  caf::strong_actor_ptr vm;
  actors::ReservedVm reserved;
};
using MadeBox = Box<result<PoolMember>>;

}  // namespace capsa::protocol

CAF_BEGIN_TYPE_ID_BLOCK(capsa_internal, caf::first_custom_type_id + 700)

CAF_ADD_TYPE_ID(capsa_internal, (capsa::protocol::VcpuInfos))
CAF_ADD_TYPE_ID(capsa_internal, (capsa::protocol::EndBox))
CAF_ADD_TYPE_ID(capsa_internal, (capsa::protocol::SetupBox))
CAF_ADD_TYPE_ID(capsa_internal, (capsa::protocol::UseBox))
CAF_ADD_TYPE_ID(capsa_internal, (capsa::protocol::ScrapeBox))
CAF_ADD_TYPE_ID(capsa_internal, (capsa::protocol::MadeBox))

CAF_ADD_ATOM(capsa_internal, capsa::protocol, boot_atom, "boot")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, button_atom, "button")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, ended_atom, "ended")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, drop_atom, "drop")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, lost_atom, "lost")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, setup_atom, "setup")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, grace_atom, "grace")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, deadline_atom, "deadline")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, attach_atom, "attach")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, detach_atom, "detach")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, bind_atom, "bind")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, data_atom, "data")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, credit_atom, "credit")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, half_atom, "half")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, reset_atom, "reset")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, closed_atom, "closed")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, taken_atom, "taken")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, flow_atom, "flow")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, scrape_atom, "scrape")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, made_atom, "made")
CAF_ADD_ATOM(capsa_internal, capsa::protocol, poke_atom, "poke")

CAF_END_TYPE_ID_BLOCK(capsa_internal)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::protocol::VcpuInfos)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::protocol::EndBox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::protocol::SetupBox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::protocol::UseBox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::protocol::ScrapeBox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::protocol::MadeBox)

namespace capsa::protocol {

using namespace capsa::actors;  // the public atoms and interfaces

/// Whoever holds vsock connections: a port, or the agent's link. Bytes come in pieces and stay
/// charged to the guest's credit until they are reported as taken.
using VsockEndpoint = caf::typed_actor<
    /// the guest connected to a port bound by this endpoint; may send this many bytes
    caf::reacts_to<accept_atom, ConnectionId, std::uint64_t>,
    caf::reacts_to<data_atom, ConnectionId, std::string>,
    /// so many more bytes may be sent
    caf::reacts_to<credit_atom, ConnectionId, std::uint64_t>,
    /// the guest will not receive / not send any more
    caf::reacts_to<half_atom, ConnectionId, bool, bool>,
    /// last word on a connection, and why
    caf::reacts_to<closed_atom, ConnectionId, std::string>>;

/// The vsock device of a running machine.
using VsockActor = caf::typed_actor<
    /// connections of the guest to this host port go to the endpoint
    caf::reacts_to<bind_atom, std::uint32_t, VsockEndpoint>,
    /// connects to a guest port; answered when the guest has accepted; the answer names the
    /// connection and how many bytes may be sent
    caf::replies_to<connect_atom, std::uint32_t, VsockEndpoint>::with<ConnectionId, std::uint64_t>,
    caf::reacts_to<data_atom, ConnectionId, std::string>,
    caf::reacts_to<taken_atom, ConnectionId, std::uint64_t>,
    caf::reacts_to<half_atom, ConnectionId, bool, bool>, caf::reacts_to<reset_atom, ConnectionId>>;

/// A port as its VM sees it.
using VsockPort = VsockPortActor::extend_with<VsockEndpoint>;

/// A disk as its VM sees it.
using DiskUnit = actors::DiskActor::extend<
    /// answered when its image is open and its device is there
    caf::reacts_to<ready_atom>>;

/// The machine and its process, on the VM's loop.
using MachineActor = caf::typed_actor<
    /// answered when the vCPUs run
    caf::replies_to<boot_atom>::with<VcpuInfos>,
    /// who wants it paused: a vCPU's index, or kWholeVm; it runs again when nobody does
    caf::reacts_to<pause_atom, std::uint32_t>, caf::reacts_to<resume_atom, std::uint32_t>,
    caf::reacts_to<button_atom>, caf::reacts_to<kill_atom>,
    caf::replies_to<stats_atom, std::uint32_t>::with<VcpuStats>,
    caf::replies_to<stats_atom>::with<UseBox>,
    caf::reacts_to<pin_atom, std::uint32_t, std::vector<unsigned>>,
    caf::reacts_to<resize_atom, PtySize>, caf::replies_to<klog_atom>::with<std::string>>;

/// The agent's link as its VM sees it.
using AgentLink = AgentActor::extend_with<VsockEndpoint>::extend<
    caf::reacts_to<setup_atom, SetupBox>,
    /// a whole file, collected here: no function of the user takes part, so that the callback
    /// thread may wait for it
    caf::replies_to<read_atom, std::string>::with<std::string>,
    /// the user's function is done with so many bytes of a request's output (0) or error stream (1)
    caf::reacts_to<taken_atom, std::uint64_t, std::uint32_t, std::uint64_t>,
    /// process, stream, reader: it has waited long enough
    caf::reacts_to<deadline_atom, std::uint64_t, std::uint32_t, std::uint64_t>,
    /// try again to connect
    caf::reacts_to<connect_atom>>;

/// A console as its VM sees it.
using ConsoleUnit = ConsoleActor::extend<
    /// a machine's line, for one boot
    caf::reacts_to<attach_atom, FdBox>,
    /// the boot is over; waiters are told why
    caf::reacts_to<detach_atom, std::string>,
    /// output goes into this pipe as fast as it is read there, until its reader has gone or the VM
    /// has ended
    caf::reacts_to<read_atom, FdBox>>;

/// The VM as its own units see it.
using VmUnit = VmActor::extend<
    caf::reacts_to<ended_atom, EndBox>,
    /// the agent said hello / is gone
    caf::reacts_to<ready_atom>, caf::reacts_to<lost_atom, std::string>,
    caf::reacts_to<grace_atom, std::uint64_t>, caf::reacts_to<deadline_atom, std::uint64_t>,
    /// the machine has had its time to say why the agent is gone
    caf::reacts_to<lost_atom, std::uint64_t>,
    /// whoever waited for the end until now waits no longer
    caf::reacts_to<deadline_atom, wait_atom, std::uint64_t>,
    /// press the power button again
    caf::reacts_to<button_atom, std::uint64_t>,
    /// the network's policy has denied or logged something
    caf::reacts_to<flow_atom, VmEvent>,
    /// answered when the guest is as build() was asked for: its
    /// machine runs, its agent has answered, its shares are mounted,
    /// its command runs, whatever of this it has
    caf::reacts_to<ready_atom, wait_atom>, caf::replies_to<scrape_atom>::with<ScrapeBox>,
    /// the last handle is gone
    caf::reacts_to<drop_atom>>;

/// A pool as its handles and its runtime see it.
using PoolUnit = PoolActor::extend<
    /// answered when all of its VMs have been available at once for the first time; with the first
    /// failure, and nothing left, where one has not come up
    caf::reacts_to<ready_atom>,
    /// member, and its VM or why there is none
    caf::reacts_to<made_atom, std::uint64_t, MadeBox>,
    /// something may be due
    caf::reacts_to<poke_atom, std::uint64_t>,
    /// the last handle is gone
    caf::reacts_to<drop_atom>,
    /// the runtime is being shut down
    caf::reacts_to<close_atom>>;

}  // namespace capsa::protocol
