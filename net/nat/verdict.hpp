#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace capsa::net::nat {

/// What became of a frame of a guest.
enum class Verdict : std::uint8_t {
  Pass,
  // -- no frame that we understand, or none that belongs here: dropped without an answer
  Malformed,        ///< parse() refused it, or its lengths or checksum metadata are wrong
  NotIp,            ///< ARP and all that services in front of the NAT should have taken
  IpOptions,        ///< IPv4 options, IPv6 extension headers
  Fragment,         ///< any but a whole packet
  UnknownProtocol,  ///< neither TCP nor UDP nor an echo request
  ForeignSource,    ///< the source is not of the virtual network, or is the gateway
  BadPort,          ///< port 0
  // -- destinations that are out of reach, unless an address rule names them
  HostLoopback,   ///< 127/8, 0/8, ::1, and spellings of them; the gateway without host_loopback
  HostAddress,    ///< another address of the host
  LinkLocal,      ///< 169.254/16 (cloud metadata), fe80::/10
  Multicast,      ///< multicast and broadcast
  Reserved,       ///< 240/4, IPv4 addresses in IPv6 that nobody routes
  VirtualSubnet,  ///< another address of the virtual network: the switch has it, or nobody
  HostService,    ///< TFTP and DHCP, which libslirp would serve by itself
  // -- caps
  TcpLimit,
  UdpLimit,
  PingLimit,
  GuestLimit,
  SocketLimit,
  PingUnavailable,  ///< over IPv6, or the host lets this process have no ping sockets
};
inline constexpr std::size_t kVerdicts = 21;

constexpr std::string_view to_string(Verdict verdict) noexcept {
  constexpr std::array<std::string_view, kVerdicts> kNames{
      "pass",           "malformed",      "not_ip",
      "ip_options",     "fragment",       "unknown_protocol",
      "foreign_source", "bad_port",       "host_loopback",
      "host_address",   "link_local",     "multicast",
      "reserved",       "virtual_subnet", "host_service",
      "tcp_limit",      "udp_limit",      "ping_limit",
      "guest_limit",    "socket_limit",   "ping_unavailable"};
  const auto index = static_cast<std::size_t>(verdict);
  return index < kVerdicts ? kNames[index] : "unknown";
}

/// Whether the guest is to be told (RST, ICMP): what cannot be trusted to be from whom it says is
/// not answered.
constexpr bool is_answered(Verdict verdict) noexcept {
  return verdict >= Verdict::HostLoopback && verdict != Verdict::Multicast;
}

using VerdictCounts = std::array<std::uint64_t, kVerdicts>;

}  // namespace capsa::net::nat
