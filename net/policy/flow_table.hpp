#pragma once

#include <array>
#include <capsa/ip_address.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <net/packet/packet.hpp>
#include <net/policy/conversation.hpp>
#include <net/policy/hello_inspector.hpp>
#include <net/policy/name_pins.hpp>
#include <net/policy/verdict.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace capsa::net {

/// Which flow a packet belongs to, seen from the VM: `local` is its own side. A ping has its
/// identifier for the local port.
struct FlowKey {
  std::uint8_t ip_protocol = 0;
  IpAddress local;
  IpAddress remote;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;

  /// Of a TCP, UDP or echo packet of the VM, or to it.
  static FlowKey of_sent(const Packet& packet) noexcept;
  static FlowKey of_received(const Packet& packet) noexcept;

  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

enum class FlowState : std::uint8_t {
  Opening,  ///< one side has spoken
  Open,     ///< both have
  Closing,  ///< TCP: one side has ended
  Closed,   ///< TCP: both have, or one has reset it; it lives on for late segments
};

/// What is known of one flow. The policy's part is the guard's; the table keeps states and times.
struct Flow {
  FlowState state = FlowState::Opening;
  bool from_outside = false;  ///< a port forward, or a peer's
  bool fin_sent = false;      ///< TCP, by the VM
  bool fin_received = false;
  TimePoint last_seen;
  std::uint64_t packets = 0;  ///< both ways
  std::uint64_t bytes = 0;    ///< of frames

  Verdict verdict;
  std::uint64_t generation = 0;  ///< of the policy that gave the verdict
  /// What the address counted as when the flow was opened: live flows outlive their pins.
  std::vector<std::string> names;
  /// TCP of the VM: until it has shown its name, and that is sure to have arrived.
  std::unique_ptr<Conversation> conversation;
  HelloInspector::State hello = HelloInspector::State::NeedMore;  ///< what it showed
  bool hidden_name = false;                                       ///< with ECH
  std::string carried;                                            ///< the name
  std::uint32_t first_sequence = 0;                               ///< TCP: of the VM's SYN
};

struct FlowCounts {
  std::size_t tcp = 0;
  std::size_t udp = 0;
  std::size_t ping = 0;
};

/// The flows of one VM. At a cap a new flow takes the place of one that is over or idle; where
/// there is none it is refused, so that a guest cannot push out its own live connections, and none
/// of anybody else. Pure but for the time it is told.
class FlowTable {
 public:
  /// What the NAT behind may hold open for one VM, in descriptors of the host.
  static constexpr std::size_t kMaxTcp = 1024;
  static constexpr std::size_t kMaxUdp = 256;
  static constexpr std::size_t kMaxPing = 16;

  /// RFC 5382, REQ-5: an established connection may idle for 2 h 4 min.
  static constexpr std::chrono::minutes kTcpIdle{124};
  /// RFC 5382, REQ-5 asks for 4 min in the other states together; Linux gives up a SYN after 2.
  static constexpr std::chrono::seconds kTcpOpening{130};
  static constexpr std::chrono::seconds kTcpClosing{240};
  static constexpr std::chrono::seconds kTcpClosed{10};
  /// RFC 4787, REQ-5: 2 min at least.
  static constexpr std::chrono::seconds kUdpIdle{120};
  static constexpr std::chrono::seconds kPingIdle{30};
  /// How long a flow must have been silent to make room for another one.
  static constexpr std::chrono::seconds kTcpOpeningYields{5};
  static constexpr std::chrono::seconds kUdpYields{30};
  static constexpr std::chrono::seconds kPingYields{2};

  /// Null where there is none, or it has timed out.
  Flow* find(const FlowKey& key, TimePoint now);
  /// The key must not be there. Null at the cap.
  Flow* open(const FlowKey& key, TimePoint now);
  void erase(const FlowKey& key) noexcept;
  void clear() noexcept;

  /// Counts a packet of the flow, and moves it along.
  static void saw(Flow& flow, const Packet& packet, std::size_t frame_bytes, bool sent,
                  TimePoint now) noexcept;
  /// Removes what has timed out. To be called every few seconds; find() does not depend on it.
  void sweep(TimePoint now);

  FlowCounts counts() const noexcept { return {counts_[0], counts_[1], counts_[2]}; }
  std::size_t size() const noexcept { return flows_.size(); }
  std::uint64_t opened() const noexcept { return opened_; }
  std::uint64_t refused() const noexcept { return refused_; }
  std::uint64_t evicted() const noexcept { return evicted_; }
  std::uint64_t expired() const noexcept { return expired_; }

 private:
  struct Hash {
    std::size_t operator()(const FlowKey& key) const noexcept;
  };
  using Map = std::unordered_map<FlowKey, Flow, Hash>;

  Map::iterator remove(Map::iterator at) noexcept;
  bool make_room(std::size_t kind, TimePoint now);

  Map flows_;
  std::array<std::size_t, 3> counts_{};
  std::array<TimePoint, 3> looked_for_room_{};
  std::uint64_t opened_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t evicted_ = 0;
  std::uint64_t expired_ = 0;
};

}  // namespace capsa::net
