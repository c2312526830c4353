#include <net/neighbor/arp.hpp>

namespace capsa::net::neighbor {
namespace {

constexpr std::uint16_t kRequest = 1, kReply = 2;

}  // namespace

std::optional<FrameBytes> answer_arp(const Packet& packet, const MacAddress& mac,
                                     const IpAddress& address) {
  if (packet.kind != PacketKind::Arp || packet.arp_operation != kRequest || packet.to != address ||
      packet.arp_sender_mac != packet.source_mac || packet.source_mac.is_multicast() ||
      packet.source_mac == mac || packet.from == address)
    return std::nullopt;
  return build_arp({packet.source_mac, mac},
                   {kReply, mac, address, packet.arp_sender_mac, packet.from});
}

}  // namespace capsa::net::neighbor
