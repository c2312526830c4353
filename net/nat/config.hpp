#pragma once

#include <capsa/ip_address.hpp>
#include <cstddef>
#include <cstdint>
#include <net/packet/mac_address.hpp>
#include <optional>

namespace capsa::net::nat {

/// What guests may cost the host. A flow that would go over a cap is refused. None is thrown out
/// but a ping that is not answered, and a UDP socket that has been idle for half a minute.
struct NatLimits {
  // Per guest. Each is one descriptor of this process and, for TCP, up to 256 KiB of buffers.
  std::size_t tcp = 1024;
  std::size_t udp = 256;   ///< sockets: one for each address and port of the guest
  std::size_t pings = 16;  ///< unanswered ones
  /// Distinct MAC addresses that are served at once.
  std::size_t guests = 256;
  /// Descriptors of all guests together, forwards not counted. Below what is usual as RLIMIT_NOFILE
  /// once a program has raised it; one that has not sets less.
  std::size_t sockets = 4096;
};

/// The virtual network, as guests see it; the same for the life of a Nat.
struct NatConfig {
  IpNetwork subnet = IpNetwork::around(IpAddress::v4(10, 0, 2, 0), 24);
  IpAddress gateway = IpAddress::v4(10, 0, 2, 2);
  /// Both or none; without them IPv6 is dropped.
  std::optional<IpNetwork> prefix6 = std::nullopt;
  std::optional<IpAddress> gateway6 = std::nullopt;
  /// What frames to guests come from.
  MacAddress gateway_mac = MacAddress({0x52, 0x55, 0x0a, 0x00, 0x02, 0x02});
  /// Bytes of an IP packet that guests take; at least 576.
  std::uint16_t guest_mtu = 1500;
  /// Whether the gateway's address stands for the host's own 127.0.0.1. What the policy allows is
  /// decided before a frame comes here.
  bool host_loopback = false;
  /// Whether libslirp works with TCP segments of more than the guests' MTU, which go to guests as
  /// frames to be cut (FrameMeta::gso). False is for comparison only: a fraction of the throughput,
  /// no pings, and no datagrams to guests that are larger than their MTU.
  bool large_segments = true;
  NatLimits limits = {};
};

}  // namespace capsa::net::nat
