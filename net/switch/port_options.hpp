#pragma once

#include <cstddef>
#include <cstdint>
#include <net/packet/mac_address.hpp>
#include <net/switch/token_bucket.hpp>
#include <optional>

namespace capsa::net {

class Filter;
class FrameObserver;

/// What a port may do. The filter and the observer outlive the port, or are set to null before.
struct PortOptions {
  /// The only source of its frames; others are dropped. It is known where this station is, before
  /// it has sent anything, and nobody else can take its place.
  std::optional<MacAddress> locked_mac = std::nullopt;
  /// Leads to a gateway: frames to unknown stations go there, and no other port can take over an
  /// address that is behind it.
  bool uplink = false;
  /// Exchanges frames with uplinks only.
  bool isolated = false;
  /// False: the cable is out, and frames of both directions are dropped.
  bool link_up = true;
  /// Of its frames that go to more than one port. Enough for a boot's ARP, DHCP and neighbour
  /// discovery; a storm costs everybody else a tenth of a CPU at most.
  RateLimit flood_limit{.per_second = 1000, .burst = 1000};
  Filter* filter = nullptr;
  FrameObserver* observer = nullptr;
};

struct SwitchOptions {
  /// Who gets frames to a station that nobody has heard of.
  enum class UnknownUnicast : std::uint8_t { Uplinks, Everyone };

  UnknownUnicast unknown_unicast = UnknownUnicast::Uplinks;
  /// What copies for several receivers may cost in all; see FramePool.
  std::size_t copy_bytes = std::size_t{8} << 20;
};

}  // namespace capsa::net
