#include <net/packet/wire.hpp>
#include <net/policy/quoted_flow.hpp>

namespace capsa::net {
namespace {

bool is_error(const Packet& packet) {
  if (!packet.is_icmp()) return false;
  if (packet.kind == PacketKind::Ipv6) return packet.icmp_type >= 1 && packet.icmp_type <= 4;
  return packet.icmp_type == 3 || packet.icmp_type == 11 || packet.icmp_type == 12;
}

}  // namespace

std::optional<FlowKey> quoted_flow(std::span<const std::byte> frame, const Packet& packet,
                                   bool by_vm) noexcept {
  if (!is_error(packet)) return std::nullopt;
  const auto quoted = packet.payload_of(frame);
  FlowKey sent;  // as its sender sees it
  std::size_t at = 40;
  if (packet.kind == PacketKind::Ipv4) {
    if (quoted.size() < 20 || wire::load8(quoted, 0) >> 4 != 4) return std::nullopt;
    at = (wire::load8(quoted, 0) & 0xfU) * std::size_t{4};
    if (at < 20 || (wire::load16(quoted, 6) & 0x1fff) != 0) return std::nullopt;
    sent = {wire::load8(quoted, 9), wire::load_v4(quoted, 12), wire::load_v4(quoted, 16), 0, 0};
  } else {
    if (quoted.size() < at || wire::load8(quoted, 0) >> 4 != 6) return std::nullopt;
    sent = {wire::load8(quoted, 6), wire::load_v6(quoted, 8), wire::load_v6(quoted, 24), 0, 0};
  }
  if (quoted.size() < at + 8) return std::nullopt;  // RFC 792: 64 bits at least
  if (sent.ip_protocol == ip_protocol::kTcp || sent.ip_protocol == ip_protocol::kUdp) {
    sent.local_port = wire::load16(quoted, at);
    sent.remote_port = wire::load16(quoted, at + 2);
    if (by_vm) std::swap(sent.local_port, sent.remote_port);
  } else {
    sent.local_port = wire::load16(quoted, at + 4);  // of an echo
  }
  if (by_vm) std::swap(sent.local, sent.remote);
  return sent;
}

}  // namespace capsa::net
