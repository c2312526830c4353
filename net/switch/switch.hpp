#pragma once

#include <array>
#include <capsa/result.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <net/frame_batch.hpp>
#include <net/switch/egress.hpp>
#include <net/switch/filter.hpp>
#include <net/switch/mac_table.hpp>
#include <net/switch/observer.hpp>
#include <net/switch/output.hpp>
#include <net/switch/port_id.hpp>
#include <net/switch/port_options.hpp>
#include <net/switch/port_stats.hpp>
#include <optional>
#include <span>
#include <vector>

namespace capsa::net {

/// A learning Ethernet switch (after IEEE 802.1Q, clause 8, without VLANs and spanning tree: ports
/// are ours, and nobody can close a loop). Everything on one thread; warm, it allocates nothing.
/// Frames are strangers': they can fill their own port's places and lose their own frames, nothing
/// else.
///
/// A frame to one port is moved there, a frame to several is copied into buffers of the switch.
/// Each port gets one batch for one that comes in.
class Switch {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMaxPorts = 1024;

  explicit Switch(SwitchOptions options = {});
  Switch(const Switch&) = delete;
  Switch& operator=(const Switch&) = delete;
  ~Switch();

  /// `egress` outlives the port. InvalidConfig where the locked address is no station's or another
  /// port's, ResourceExhausted where there are kMaxPorts.
  result<PortId> add_port(Egress& egress, PortOptions options = {});
  /// Forgets it and all stations behind it. Nothing where it is gone already.
  void remove_port(PortId port);

  /// Takes what came in from `from`; frames of a port that is gone are dropped. Empty places of the
  /// batch are passed over. `now` does not go back.
  void forward(PortId from, FrameBatch batch, Time now);

  // All of these do nothing for a port that is gone.
  /// Pulls a port's cable, or plugs it in again.
  void set_link(PortId port, bool up);
  void set_filter(PortId port, Filter* filter);
  void set_observer(PortId port, FrameObserver* observer);

  /// Nothing for a port that is gone.
  std::optional<PortStats> stats(PortId port) const;
  std::optional<bool> link_up(PortId port) const;
  /// Where a station is.
  std::optional<PortId> port_of(const MacAddress& station, Time now) const;
  std::size_t ports() const noexcept { return active_.size(); }
  /// Stations that were learned; locked ones are not.
  std::size_t stations() const noexcept { return macs_.learned(); }
  /// Frames of ports that are gone.
  std::uint64_t strays() const noexcept { return strays_; }

 private:
  using Slot = std::uint16_t;

  struct Port {
    Port(Egress& egress, const PortOptions& given, FramePool& pool, PortId port_id)
        : options(given), bucket(given.flood_limit), output(egress, pool, stats), id(port_id) {
      if (given.locked_mac) locked = MacTable::key(*given.locked_mac);
    }
    void drop(FrameDrop why) noexcept { ++stats.drops[static_cast<std::size_t>(why)]; }

    PortOptions options;
    std::optional<MacTable::Key> locked;
    TokenBucket bucket;
    PortStats stats;
    Output output;
    PortId id;
    bool dirty = false;  // in dirty_
  };
  /// What was looked up last while one batch is forwarded: its frames are of few stations.
  struct Memory {
    std::optional<MacTable::Key> source;
    std::optional<MacTable::Key> destination;
    std::optional<Slot> port;
  };

  Port* find(PortId id) const noexcept;
  void forward(Port& in, Frame& frame, Memory& memory, Time now);
  bool learn(Port& in, MacTable::Key source, Memory& memory, Time now);
  static bool may_reach(const Port& in, const Port& out) noexcept;
  void flood(Port& in, Frame frame, bool uplinks_only, Time now);
  void deliver(Port& in, Port& out, Frame frame, Time now);
  void hand_over(Port& out, Frame frame, Time now);
  void flush();

  const SwitchOptions options_;
  std::shared_ptr<FramePool> pool_;
  MacTable macs_;
  std::vector<std::unique_ptr<Port>> slots_;
  std::vector<Slot> active_;  // ports that there are
  std::vector<Slot> dirty_;   // those with frames to be sent
  std::uint64_t next_serial_ = 1;
  std::uint64_t strays_ = 0;
  std::optional<Time> expired_at_;
};

}  // namespace capsa::net
