#pragma once

#include <capsa/ip_address.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <net/packet/build.hpp>
#include <net/packet/packet.hpp>
#include <optional>
#include <span>
#include <vector>

/// Neighbor discovery for IPv6 (RFC 4861): what a router needs of it. Everything that comes is a
/// stranger's; the link-layer addresses in its options are not believed, as the frame says where it
/// comes from and the switch does not let that be forged. Pure.
namespace capsa::net::neighbor {

/// What every message must be (RFC 4861, 6.1.1, 7.1.1): from this link (hop limit 255), with a
/// right checksum, code 0, and no option that is empty or cut short.
bool is_valid_ndp(std::span<const std::byte> frame, const Packet& packet) noexcept;

/// The target of a valid neighbor solicitation (RFC 4861, 7.1.1).
std::optional<IpAddress> solicited_target(std::span<const std::byte> frame,
                                          const Packet& packet) noexcept;
/// Whether it is a valid router solicitation (RFC 4861, 6.1.1).
bool is_router_solicitation(std::span<const std::byte> frame, const Packet& packet) noexcept;

/// Says to the sender of a solicitation that `address` is at `mac`, a router; to all where it has
/// no address yet and so learns that this one is taken (RFC 4861, 7.2.4).
FrameBytes neighbor_advertisement(const Packet& solicitation, const MacAddress& mac,
                                  const IpAddress& address);

struct RouterFields {
  IpAddress link_local;              ///< ours, from which it is sent
  IpNetwork prefix;                  ///< a /64, of which guests make addresses of their own (SLAAC)
  std::vector<IpAddress> resolvers;  ///< RDNSS (RFC 8106)
  std::uint32_t mtu = 1500;
  bool default_router = true;  ///< false where nothing beyond the prefix can be reached
};

/// How long what it says counts; it is repeated long before.
inline constexpr std::chrono::seconds kRouterLifetime{1800};
inline constexpr std::chrono::seconds kAdvertisementInterval{300};

/// To all nodes, but in a frame to `to`: one guest (RFC 6085) or all of them.
FrameBytes router_advertisement(const RouterFields& fields, const MacAddress& mac,
                                const MacAddress& to);

inline constexpr IpAddress kAllNodes = IpAddress::v6({0xff02, 0, 0, 0, 0, 0, 0, 1});
/// The Ethernet address of a multicast group (RFC 2464, 7).
MacAddress multicast_mac(const IpAddress& group) noexcept;

}  // namespace capsa::net::neighbor
