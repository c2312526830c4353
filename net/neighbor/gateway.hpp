#pragma once

#include <capsa/ip_address.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <net/dhcp/server.hpp>
#include <net/dns/stub.hpp>
#include <net/frame_meta.hpp>
#include <net/neighbor/dns_tcp.hpp>
#include <net/neighbor/ndp.hpp>
#include <net/neighbor/rate_limit.hpp>
#include <net/packet/build.hpp>
#include <net/packet/packet.hpp>
#include <optional>
#include <span>
#include <vector>

namespace capsa::net::neighbor {

struct GatewayOptions {
  MacAddress mac;
  IpAddress address;                      ///< IPv4
  std::optional<RouterFields> ipv6;       ///< nothing: IPv6 is not answered
  std::optional<IpAddress> ipv6_address;  ///< ours in the prefix, besides the link-local one
  DnsTcp::Options dns_tcp;
};

struct GatewayStats {
  std::uint64_t malformed = 0;  ///< not understood, or with a wrong checksum
  std::uint64_t foreign = 0;    ///< to another MAC
  std::uint64_t dropped = 0;    ///< what no guest has to say: advertisements of routers, redirects
  std::uint64_t limited = 0;    ///< a guest asks too often
  std::uint64_t answered = 0;   ///< by ARP, NDP, ICMP or DHCP
  std::uint64_t questions = 0;  ///< handed to the DNS stub, over UDP
};

/// What a network has at its gateway besides the way out: ARP, NDP and router advertisements, DHCP,
/// DNS over UDP and TCP, and an echo. Frames in, frames out; all the rest is for the NAT.
/// Single-threaded.
class Gateway {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Output = std::function<void(FrameBytes)>;

  /// `dhcp` and `dns` outlive it; null for none.
  Gateway(GatewayOptions options, dhcp::Server* dhcp, dns::DnsStub* dns);

  /// True where the frame ends here, answered through `out` or not; false where it is to go on to
  /// the NAT. Its source MAC and IP address have been checked at the guest's port. `meta` says
  /// whether its checksum is still to be made, and then it is not looked at.
  bool on_frame(std::span<const std::byte> frame, const FrameMeta& meta, Time now,
                const Output& out);

  /// What the DnsStub says to a client of on_frame() (StubHost::reply()). Must be called for all of
  /// them, at once: a connection waits for it.
  void dns_reply(const dns::Client& client, std::span<const std::byte> message, Time now,
                 const Output& out);
  /// A guest that has left: what it asked for, and its connections. The DnsStub must not be the
  /// caller.
  void forget(const MacAddress& guest);
  /// dns::Client::owner of a guest: the stub's caps are per MAC.
  static std::uint64_t owner_of(const MacAddress& mac) noexcept;
  static MacAddress mac_of(std::uint64_t owner) noexcept;

  /// When to call on_deadline(): the next router advertisement, or a connection that waits. Does
  /// not speak for the DnsStub, which has deadlines of its own.
  std::optional<Time> next_deadline() const;
  void on_deadline(Time now, const Output& out);

  const GatewayStats& stats() const noexcept { return stats_; }
  /// Null without a DnsStub.
  const DnsTcp* dns_tcp() const noexcept { return dns_tcp_ ? &*dns_tcp_ : nullptr; }

 private:
  bool is_ours(const IpAddress& address) const noexcept;
  bool on_arp(const Packet& packet, Time now, const Output& out);
  bool on_icmp(std::span<const std::byte> frame, const Packet& packet, Time now, const Output& out);
  bool on_ndp(std::span<const std::byte> frame, const Packet& packet, Time now, const Output& out);
  bool on_udp(std::span<const std::byte> frame, const Packet& packet, const FrameMeta& meta,
              Time now, const Output& out);
  bool on_tcp(std::span<const std::byte> frame, const Packet& packet, const FrameMeta& meta,
              Time now, const Output& out);
  void on_dhcp(std::span<const std::byte> payload, const Packet& packet, Time now,
               const Output& out);
  bool allowed(RateLimit& limit, const Packet& packet, Time now);
  void answer(const Output& out, FrameBytes frame);

  GatewayOptions options_;
  dhcp::Server* dhcp_;
  dns::DnsStub* dns_;
  std::optional<DnsTcp> dns_tcp_;  // with dns_
  RateLimit answers_;
  RateLimit advertisements_;
  Time next_advertisement_{};
  GatewayStats stats_;
};

}  // namespace capsa::net::neighbor
