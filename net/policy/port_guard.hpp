#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <net/packet/build.hpp>
#include <net/packet/packet.hpp>
#include <net/policy/dns_judge.hpp>
#include <net/policy/events.hpp>
#include <net/policy/flow_table.hpp>
#include <net/policy/name_pins.hpp>
#include <net/policy/sanitize.hpp>
#include <net/policy/verdict.hpp>
#include <span>
#include <vector>

namespace capsa::net {

/// A port of the guest that is reachable from outside.
struct ForwardedPort {
  Protocol protocol = Protocol::Tcp;
  std::uint16_t guest_port = 0;
  friend bool operator==(const ForwardedPort&, const ForwardedPort&) = default;
};

struct GuardConfig {
  PortIdentity identity;
  NetworkContext network;
  NetworkPolicy policy;  ///< valid; of one that is not, bad criteria match nothing
  std::vector<ForwardedPort> forwards;
  /// Lets flows with an encrypted ClientHello go where a name is needed: the outer name is checked
  /// then, and the inner one is anybody's guess. Some browsers send a dummy in every flow.
  bool allow_ech = false;
};

/// What becomes of one frame. Frames in it are whole and are sent without being judged again.
struct Decision {
  enum class Action : std::uint8_t {
    Forward,
    Drop,    ///< silently
    Reject,  ///< dropped, and `to_guest` tells the guest
  };
  Action action = Action::Forward;
  DropReason reason = DropReason::None;
  FrameBytes to_guest;    ///< empty: nothing
  FrameBytes to_network;  ///< empty: nothing; else it ends the far side of a flow

  static Decision drop(DropReason why) { return {Action::Drop, why, {}, {}}; }
  bool forwards() const noexcept { return action == Action::Forward; }
};

struct GuardStats {
  std::uint64_t forwarded_out = 0;  ///< frames of the guest
  std::uint64_t forwarded_in = 0;   ///< frames to the guest
  std::array<std::uint64_t, kDropReasons> dropped{};
  std::array<std::uint64_t, kParseProblems> unparsable{};
  std::uint64_t denied_flows = 0;      ///< events
  std::uint64_t repeated_denials = 0;  ///< packets of flows that were denied just before

  std::uint64_t dropped_for(DropReason reason) const noexcept {
    return dropped[static_cast<std::size_t>(reason)];
  }
};

/// The judge at one VM's switch port: everything that the guest sends passes here first, and
/// everything for it last. Sanitizes, keeps the guest to its own addresses, knows its flows, asks
/// the policy once a flow, and checks the names that flows carry. Everything in a frame of the
/// guest is hostile. Single-threaded, no clock: `now` never goes back.
class PortGuard {
 public:
  /// What is kept of flows that have not shown their names yet, all together.
  static constexpr std::size_t kMaxHeldBytes = 4U << 20;
  /// How long a flow that was denied is not told again.
  static constexpr std::chrono::seconds kRepeats{5};

  explicit PortGuard(GuardConfig config);
  PortGuard(const PortGuard&) = delete;
  PortGuard& operator=(const PortGuard&) = delete;

  /// `frame` as the guest sent it, after check_offload(): one segment or a large one to be cut.
  Decision on_guest_frame(std::span<const std::byte> frame, TimePoint now);
  Decision on_frame_to_guest(std::span<const std::byte> frame, TimePoint now);
  /// To be called every few seconds: lets go of what has timed out.
  void sweep(TimePoint now) { flows_.sweep(now); }

  /// Bytes that are kept of flows to be looked at.
  std::size_t held_bytes() const noexcept { return held_; }

  /// Live flows are judged again, each with its next packet.
  void set_policy(NetworkPolicy policy);
  void set_ipv4(std::optional<IpAddress> address) { config_.identity.ipv4 = address; }
  void set_forwards(std::vector<ForwardedPort> forwards) { config_.forwards = std::move(forwards); }
  void set_host_addresses(std::vector<IpAddress> addresses);
  /// The guest was started again: nothing of its former life counts.
  void reset();

  const NetworkPolicy& policy() const noexcept { return config_.policy; }
  DnsJudge& dns() noexcept { return dns_; }
  NamePins& pins() noexcept { return pins_; }
  const FlowTable& flows() const noexcept { return flows_; }
  DenialLog& denials() noexcept { return denials_; }
  FlowLog& log() noexcept { return log_; }
  /// Told of every flow; none: of none. Must not call back.
  void on_flow(std::function<void(const FlowBegin&)> callback) { on_flow_ = std::move(callback); }
  const GuardStats& stats() const noexcept { return stats_; }

 private:
  struct Frame {
    std::span<const std::byte> bytes;
    const Packet& packet;
    TimePoint now;
  };
  struct Told {
    FlowKey key;
    std::optional<std::size_t> rule;
    Builtin builtin = Builtin::None;
    TimePoint when;
  };

  Decision judge_whole(std::span<const std::byte> frame, TimePoint now,
                       Decision (PortGuard::*judge)(const Frame&), std::uint64_t& forwarded);
  // -- from the guest
  Decision judge_sent(const Frame& frame);
  Decision open_sent(const Frame& frame, const FlowKey& key);
  Decision go_on_sent(const Frame& frame, const FlowKey& key, Flow& flow);
  Decision look_at_name(const Frame& frame, const FlowKey& key, Flow& flow);
  // -- to the guest
  Decision judge_received(const Frame& frame);
  bool may_open(const Packet& packet) const noexcept;
  // -- verdicts
  Verdict judge_names(const FlowKey& key, const Flow& flow) const;
  Builtin name_problem(const FlowKey& key, const Flow& flow) const;
  /// True where the flow may go on under the policy as it is now.
  bool revise(const Frame& frame, const FlowKey& key, Flow& flow, Verdict& verdict);
  void tell_denial(const FlowKey& key, const Verdict& verdict, std::string name, TimePoint now);
  void tell_flow(const FlowKey& key, const Verdict& verdict, std::string name, TimePoint now);
  void tell_begin(const FlowKey& key, bool allowed, bool outside, std::string name,
                  std::string reason, TimePoint now);
  // -- answers
  Decision refuse_sent(const Frame& frame, DropReason reason);
  Decision end_sent(const Frame& frame, const FlowKey& key, const Verdict& verdict);
  Decision end_received(const Frame& frame, const FlowKey& key, const Verdict& verdict);

  GuardConfig config_;
  std::size_t held_ = 0;  // by conversations, which end before it
  NamePins pins_;
  FlowTable flows_;
  DenialLog denials_;
  FlowLog log_;
  std::function<void(const FlowBegin&)> on_flow_;
  DnsJudge dns_;
  GuardStats stats_;
  bool denies_by_name_ = false;
  std::uint64_t generation_ = 1;
  std::vector<Told> told_;
  std::size_t next_told_ = 0;
};

}  // namespace capsa::net
