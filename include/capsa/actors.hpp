#pragma once

/// \file
/// The actors behind the handles, for programs that are built on CAF themselves: monitor
/// them, send them messages, or run the library on an actor system of one's own. This is the one
/// public header that names CAF; link the target capsa::actors for it.
///
/// Failures come back as caf::error of category "capsa"; to_capsa_error() makes the public error of
/// them. Every request is answered, at the latest when the actor ends.

#include <caf/all.hpp>
#include <capsa/agent.hpp>
#include <capsa/runtime.hpp>
#include <capsa/status.hpp>
#include <capsa/vm.hpp>
#include <memory>
#include <string>
#include <vector>

/// The actors' interfaces, their messages, and how to come by them.
namespace capsa::actors {

/// A file descriptor on its way between two actors: closed when dropped on the way.
class FdBox {
 public:
  FdBox() = default;
  /// Nothing, where `fd` is none.
  explicit FdBox(UniqueFd fd) : fd_(std::make_shared<UniqueFd>(std::move(fd))) {}
  /// The first taker gets it.
  UniqueFd take() const { return fd_ ? std::move(*fd_) : UniqueFd(); }

 private:
  std::shared_ptr<UniqueFd> fd_;
};

/// A process that an agent has started: `id` names it in later messages to the same agent actor.
struct StartedProcess {
  std::uint64_t id = 0;  ///< counted on the host; no two of one actor are the same
  std::int64_t pid = 0;  ///< in the guest
};

/// What a share has done since its VM started.
struct ShareStats {
  std::uint64_t requests = 0;  ///< FUSE requests answered
};

/// What a disk has done since its VM started.
struct DiskStats {
  std::uint64_t size_bytes = 0;     ///< as the guest sees it; 0 until its image is open
  std::uint64_t reads = 0;          ///< requests, also below
  std::uint64_t writes = 0;         ///< requests
  std::uint64_t flushes = 0;        ///< requests that what was written be on the disk
  std::uint64_t discards = 0;       ///< and writes of zeroes
  std::uint64_t read_bytes = 0;     ///< by those reads
  std::uint64_t written_bytes = 0;  ///< by those writes
  std::uint64_t errors = 0;         ///< requests that the image's own file or server failed
};

/// A VM of a pool, reserved: destroyed when the last copy is dropped, on the way between two actors
/// too. Thread-safe.
class ReservedVm {
 public:
  ReservedVm() = default;
  ///@{
  /// For this library; see actor_of() and PooledVm.
  explicit ReservedVm(std::shared_ptr<detail::ReservationImpl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<detail::ReservationImpl>& impl() const noexcept { return impl_; }
  ///@}

 private:
  std::shared_ptr<detail::ReservationImpl> impl_;
};

/// Names a port of a switch; never used twice by one runtime.
using SwitchPort = std::uint64_t;

struct VmNetworkActors;

}  // namespace capsa::actors

CAF_BEGIN_TYPE_ID_BLOCK(capsa, caf::first_custom_type_id + 600)

CAF_ADD_TYPE_ID(capsa, (capsa::VmStatus))
CAF_ADD_TYPE_ID(capsa, (capsa::VmEvent))
CAF_ADD_TYPE_ID(capsa, (capsa::VcpuStats))
CAF_ADD_TYPE_ID(capsa, (capsa::VmStats))
CAF_ADD_TYPE_ID(capsa, (capsa::ConsoleMatch))
CAF_ADD_TYPE_ID(capsa, (capsa::ConsoleOutput))
CAF_ADD_TYPE_ID(capsa, (capsa::ExecSpec))
CAF_ADD_TYPE_ID(capsa, (capsa::ExecResult))
CAF_ADD_TYPE_ID(capsa, (capsa::ExitStatus))
CAF_ADD_TYPE_ID(capsa, (capsa::PtySize))
CAF_ADD_TYPE_ID(capsa, (capsa::GuestInfo))
CAF_ADD_TYPE_ID(capsa, (capsa::FileStat))
CAF_ADD_TYPE_ID(capsa, (capsa::CopyOptions))
CAF_ADD_TYPE_ID(capsa, (capsa::CopyStats))
CAF_ADD_TYPE_ID(capsa, (std::vector<capsa::DirEntry>))
CAF_ADD_TYPE_ID(capsa, (std::vector<std::string>))
CAF_ADD_TYPE_ID(capsa, (std::vector<unsigned>))
CAF_ADD_TYPE_ID(capsa, (std::optional<int>))
CAF_ADD_TYPE_ID(capsa, (std::optional<std::string>))
CAF_ADD_TYPE_ID(capsa, (capsa::OutputHandlers))
CAF_ADD_TYPE_ID(capsa, (std::function<void(std::string_view)>))
CAF_ADD_TYPE_ID(capsa, (capsa::actors::FdBox))
CAF_ADD_TYPE_ID(capsa, (capsa::actors::StartedProcess))
CAF_ADD_TYPE_ID(capsa, (capsa::actors::ShareStats))
CAF_ADD_TYPE_ID(capsa, (capsa::actors::DiskStats))
CAF_ADD_TYPE_ID(capsa, (capsa::actors::VmNetworkActors))
CAF_ADD_TYPE_ID(capsa, (capsa::PoolEvent))
CAF_ADD_TYPE_ID(capsa, (capsa::actors::ReservedVm))
CAF_ADD_TYPE_ID(capsa, (capsa::NetworkStats))
CAF_ADD_TYPE_ID(capsa, (capsa::NetworkPolicy))
CAF_ADD_TYPE_ID(capsa, (capsa::PortForward))
CAF_ADD_TYPE_ID(capsa, (std::vector<capsa::PortForward>))

CAF_ADD_ATOM(capsa, capsa::actors, start_atom, "start")
CAF_ADD_ATOM(capsa, capsa::actors, stop_atom, "stop")
CAF_ADD_ATOM(capsa, capsa::actors, kill_atom, "kill")
CAF_ADD_ATOM(capsa, capsa::actors, pause_atom, "pause")
CAF_ADD_ATOM(capsa, capsa::actors, resume_atom, "resume")
CAF_ADD_ATOM(capsa, capsa::actors, wait_atom, "wait")
CAF_ADD_ATOM(capsa, capsa::actors, status_atom, "status")
CAF_ADD_ATOM(capsa, capsa::actors, subscribe_atom, "subscribe")
CAF_ADD_ATOM(capsa, capsa::actors, console_atom, "console")
CAF_ADD_ATOM(capsa, capsa::actors, klog_atom, "klog")
CAF_ADD_ATOM(capsa, capsa::actors, agent_atom, "agent")
CAF_ADD_ATOM(capsa, capsa::actors, vcpus_atom, "vcpus")
CAF_ADD_ATOM(capsa, capsa::actors, vsock_atom, "vsock")
CAF_ADD_ATOM(capsa, capsa::actors, shares_atom, "shares")
CAF_ADD_ATOM(capsa, capsa::actors, disks_atom, "disks")
CAF_ADD_ATOM(capsa, capsa::actors, main_atom, "main")
CAF_ADD_ATOM(capsa, capsa::actors, stats_atom, "stats")
CAF_ADD_ATOM(capsa, capsa::actors, pin_atom, "pin")
CAF_ADD_ATOM(capsa, capsa::actors, write_atom, "write")
CAF_ADD_ATOM(capsa, capsa::actors, read_atom, "read")
CAF_ADD_ATOM(capsa, capsa::actors, wait_for_atom, "waitfor")
CAF_ADD_ATOM(capsa, capsa::actors, exec_atom, "exec")
CAF_ADD_ATOM(capsa, capsa::actors, run_atom, "run")
CAF_ADD_ATOM(capsa, capsa::actors, login_atom, "login")
CAF_ADD_ATOM(capsa, capsa::actors, connect_atom, "connect")
CAF_ADD_ATOM(capsa, capsa::actors, accept_atom, "accept")
CAF_ADD_ATOM(capsa, capsa::actors, ready_atom, "ready")
CAF_ADD_ATOM(capsa, capsa::actors, ping_atom, "ping")
CAF_ADD_ATOM(capsa, capsa::actors, info_atom, "info")
CAF_ADD_ATOM(capsa, capsa::actors, close_atom, "close")
CAF_ADD_ATOM(capsa, capsa::actors, signal_atom, "signal")
CAF_ADD_ATOM(capsa, capsa::actors, resize_atom, "resize")
CAF_ADD_ATOM(capsa, capsa::actors, exists_atom, "exists")
CAF_ADD_ATOM(capsa, capsa::actors, stat_atom, "stat")
CAF_ADD_ATOM(capsa, capsa::actors, list_atom, "list")
CAF_ADD_ATOM(capsa, capsa::actors, mkdir_atom, "mkdir")
CAF_ADD_ATOM(capsa, capsa::actors, remove_atom, "remove")
CAF_ADD_ATOM(capsa, capsa::actors, rename_atom, "rename")
CAF_ADD_ATOM(capsa, capsa::actors, shutdown_atom, "shutdown")
CAF_ADD_ATOM(capsa, capsa::actors, open_atom, "open")
CAF_ADD_ATOM(capsa, capsa::actors, copy_to_atom, "copyto")
CAF_ADD_ATOM(capsa, capsa::actors, copy_from_atom, "copyfrom")
CAF_ADD_ATOM(capsa, capsa::actors, network_atom, "network")
CAF_ADD_ATOM(capsa, capsa::actors, policy_atom, "policy")
CAF_ADD_ATOM(capsa, capsa::actors, capture_atom, "capture")
CAF_ADD_ATOM(capsa, capsa::actors, link_atom, "link")
CAF_ADD_ATOM(capsa, capsa::actors, forward_atom, "forward")
CAF_ADD_ATOM(capsa, capsa::actors, forwards_atom, "forwards")
CAF_ADD_ATOM(capsa, capsa::actors, flows_atom, "flows")
CAF_ADD_ATOM(capsa, capsa::actors, reserve_atom, "reserve")
CAF_ADD_ATOM(capsa, capsa::actors, available_atom, "available")

CAF_END_TYPE_ID_BLOCK(capsa)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::VmStatus)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::VmEvent)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::VcpuStats)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::VmStats)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::ConsoleMatch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::ConsoleOutput)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::ExecSpec)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::ExecResult)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::ExitStatus)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::PtySize)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::GuestInfo)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::FileStat)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::CopyOptions)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::CopyStats)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<capsa::DirEntry>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::optional<int>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::optional<std::string>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::OutputHandlers)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::function<void(std::string_view)>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::actors::FdBox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::actors::StartedProcess)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::actors::ShareStats)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::actors::DiskStats)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::actors::VmNetworkActors)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::PoolEvent)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::actors::ReservedVm)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::NetworkStats)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::NetworkPolicy)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(capsa::PortForward)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<capsa::PortForward>)

namespace capsa::actors {

/// Patterns to wait for, none of them empty.
using Lines = std::vector<std::string>;
/// Takes a file's bytes, on the callback thread.
using Sink = std::function<void(std::string_view)>;

/// One vCPU of a running machine; ends with it.
using VcpuActor = caf::typed_actor<caf::replies_to<stats_atom>::with<VcpuStats>,
                                   caf::reacts_to<pin_atom, std::vector<unsigned>>,
                                   caf::reacts_to<pause_atom>, caf::reacts_to<resume_atom>>;

/// A VM's console; lives as long as the VM's actor, over several boots. Each timespan is how long
/// the request may take, its turn included, before it ends with Timeout and takes nothing: 0 or
/// less for what can be answered at once, more than a century for ever.
using ConsoleActor = caf::typed_actor<
    caf::reacts_to<write_atom, std::string>,
    /// everything through the first of these patterns
    caf::replies_to<wait_for_atom, Lines, caf::timespan>::with<ConsoleMatch>,
    /// what is there when its turn comes
    caf::replies_to<read_atom, caf::timespan>::with<std::string>,
    /// waits until something is there; empty at the end of the VM
    caf::replies_to<read_atom, wait_atom, caf::timespan>::with<std::string>,
    /// command
    caf::replies_to<exec_atom, std::string, caf::timespan>::with<ConsoleOutput>,
    /// command, prompt
    caf::replies_to<run_atom, std::string, std::string, caf::timespan>::with<std::string>,
    /// user, password
    caf::reacts_to<login_atom, std::string, std::optional<std::string>, caf::timespan>>;

/// One configured vsock port of a running machine.
using VsockPortActor = caf::typed_actor<caf::replies_to<connect_atom>::with<FdBox>,
                                        /// the guest's next connection; Timeout, and none is taken,
                                        /// where it has not come in so long: 0 or less for one that
                                        /// is there, more than a century for ever
                                        caf::replies_to<accept_atom, caf::timespan>::with<FdBox>>;

/// One share of a running machine.
using ShareActor = caf::typed_actor<caf::replies_to<stats_atom>::with<ShareStats>>;

/// One disk of a running machine.
using DiskActor = caf::typed_actor<caf::replies_to<stats_atom>::with<DiskStats>>;

/// The switch of a virtual network.
using NetSwitchActor = caf::typed_actor<caf::replies_to<stats_atom, SwitchPort>::with<NetworkStats>,
                                        /// in place of the policy of before, for live flows too
                                        caf::reacts_to<policy_atom, SwitchPort, NetworkPolicy>,
                                        /// whether the cable is in
                                        caf::reacts_to<link_atom, SwitchPort, bool>,
                                        /// as pcapng into this file or pipe; an empty box ends it
                                        caf::reacts_to<capture_atom, SwitchPort, FdBox>,
                                        /// a line for each flow; an empty box ends it
                                        caf::reacts_to<flows_atom, SwitchPort, FdBox>>;

/// The gateway of a virtual network: its services, and the NAT behind it.
using NatActor =
    caf::typed_actor<caf::replies_to<forwards_atom, SwitchPort>::with<std::vector<PortForward>>,
                     /// adds one; the answer has the host's port
                     caf::replies_to<forward_atom, SwitchPort, PortForward>::with<PortForward>,
                     caf::reacts_to<remove_atom, SwitchPort, PortForward>>;

/// What a VM's card is connected to.
struct VmNetworkActors {
  NetSwitchActor net_switch;  ///< the VM's own, or its cluster's
  SwitchPort port = 0;        ///< the card's, for messages to both
  NatActor nat;               ///< the gateway
};

/// The session with the agent of a running guest. Requests wait until the agent has reported.
using AgentActor = caf::typed_actor<
    /// answered when the agent has said hello
    caf::reacts_to<ready_atom>, caf::reacts_to<ping_atom>,
    caf::replies_to<info_atom>::with<GuestInfo>,
    /// runs to the end, collecting output
    caf::replies_to<exec_atom, ExecSpec>::with<ExecResult>,
    /// starts; output goes to the handlers on the callback thread
    caf::replies_to<start_atom, ExecSpec, OutputHandlers>::with<StartedProcess>,
    caf::replies_to<wait_atom, std::uint64_t>::with<ExitStatus>,
    caf::reacts_to<write_atom, std::uint64_t, std::string>,
    caf::reacts_to<close_atom, std::uint64_t>, caf::reacts_to<signal_atom, std::uint64_t, int>,
    caf::reacts_to<resize_atom, std::uint64_t, PtySize>,
    /// path, where the chunks go (on the callback thread); gives the size
    caf::replies_to<read_atom, std::string, Sink>::with<std::uint64_t>,
    /// path, content, mode
    caf::reacts_to<write_atom, std::string, std::string, std::uint32_t>,
    caf::replies_to<exists_atom, std::string>::with<bool>,
    /// path, whether symbolic links are followed
    caf::replies_to<stat_atom, std::string, bool>::with<FileStat>,
    caf::replies_to<list_atom, std::string>::with<std::vector<DirEntry>>,
    /// path, with parents, mode
    caf::reacts_to<mkdir_atom, std::string, bool, std::uint32_t>,
    /// path, recursive
    caf::reacts_to<remove_atom, std::string, bool>,
    caf::reacts_to<rename_atom, std::string, std::string>, caf::reacts_to<shutdown_atom>,
    /// starts; output is kept for read_atom, until close_atom says that nobody reads it
    caf::replies_to<open_atom, ExecSpec>::with<StartedProcess>,
    /// process, stream (0: output, 1: errors): waits until there is something; empty at its end.
    /// The timespan is as a console's
    caf::replies_to<read_atom, std::uint64_t, std::uint32_t, caf::timespan>::with<std::string>,
    caf::reacts_to<close_atom, std::uint64_t, std::uint32_t>,
    /// path on the host, path in the guest
    caf::replies_to<copy_to_atom, std::string, std::string, CopyOptions>::with<CopyStats>,
    /// path in the guest, path on the host
    caf::replies_to<copy_from_atom, std::string, std::string, CopyOptions>::with<CopyStats>>;

/// A virtual machine.
using VmActor = caf::typed_actor<
    caf::reacts_to<start_atom>,
    /// asks the guest to power off, kills it after the grace; answered when nothing is left
    caf::reacts_to<stop_atom, caf::timespan>, caf::reacts_to<kill_atom>, caf::reacts_to<pause_atom>,
    caf::reacts_to<resume_atom>, caf::replies_to<status_atom>::with<VmStatus>,
    caf::replies_to<wait_atom>::with<std::optional<int>>,
    /// Timeout where the VM has not ended by then
    caf::replies_to<wait_atom, caf::timespan>::with<std::optional<int>>,
    /// sends a VmEvent for everything that happens, until the subscriber ends
    caf::reacts_to<subscribe_atom, caf::actor>, caf::replies_to<console_atom>::with<ConsoleActor>,
    /// the terminal that shows the console
    caf::reacts_to<resize_atom, PtySize>, caf::replies_to<klog_atom>::with<std::string>,
    caf::replies_to<stats_atom>::with<VmStats>, caf::replies_to<agent_atom>::with<AgentActor>,
    caf::replies_to<main_atom>::with<StartedProcess>,
    caf::replies_to<vcpus_atom>::with<std::vector<VcpuActor>>,
    caf::replies_to<shares_atom>::with<std::vector<ShareActor>>,
    caf::replies_to<disks_atom>::with<std::vector<DiskActor>>,
    /// NotFound for a VM without a network
    caf::replies_to<network_atom>::with<VmNetworkActors>,
    caf::replies_to<vsock_atom, std::uint32_t>::with<VsockPortActor>>;

/// VMs that have booted before they are needed. It ends when the last Pool is dropped.
using PoolActor = caf::typed_actor<
    /// in turn; the timespan is as in ConsoleActor
    caf::replies_to<reserve_atom, caf::timespan>::with<ReservedVm>,
    /// one that is available now, where nobody waits for one; else ResourceExhausted
    caf::replies_to<reserve_atom>::with<ReservedVm>,
    caf::replies_to<available_atom>::with<std::uint64_t>,
    /// sends a PoolEvent for everything that happens, until the subscriber ends
    caf::reacts_to<subscribe_atom, caf::actor>,
    /// answered when nothing is left but what is reserved
    caf::reacts_to<shutdown_atom>>;

/// Adds this library's message types and error category, and sets the scheduler it is made for. For
/// a configuration that an own actor_system is then made of.
void configure(caf::actor_system_config& config);

/// A runtime on an actor system of one's own, which must outlive it and have been made from a
/// configuration that went through configure().
Runtime runtime_on(caf::actor_system& system, RuntimeOptions options = {});

///@{
/// The actors behind handles.
VmActor actor_of(const VmHandle& vm);
ConsoleActor actor_of(const Console& console);
AgentActor actor_of(const AgentClient& agent);
VcpuActor actor_of(const Vcpu& vcpu);
PoolActor actor_of(const Pool& pool);
VmActor actor_of(const ReservedVm& reserved);
///@}

/// The public error in a caf::error of ours; VmEnded where the actor that was asked has ended, else
/// Internal for one of CAF's own.
capsa::error to_capsa_error(const caf::error& e);

}  // namespace capsa::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<capsa::actors::VcpuActor>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<capsa::actors::ShareActor>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<capsa::actors::DiskActor>)
