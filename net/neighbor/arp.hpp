#pragma once

#include <capsa/ip_address.hpp>
#include <net/packet/build.hpp>
#include <net/packet/packet.hpp>
#include <optional>

namespace capsa::net::neighbor {

/// The reply to an ARP request for `address`, which is ours at `mac` (RFC 826), also to one without
/// a sender's address (a probe, RFC 5227): that guest must not take it. Nothing for anything else,
/// and where the sender in the packet is not the sender of the frame.
std::optional<FrameBytes> answer_arp(const Packet& packet, const MacAddress& mac,
                                     const IpAddress& address);

}  // namespace capsa::net::neighbor
