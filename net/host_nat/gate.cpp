#include <net/host_nat/gate.hpp>
#include <net/packet/packet.hpp>
#include <net/packet/wire.hpp>
#include <variant>

namespace capsa::net::host_nat {
namespace {

constexpr std::size_t kType = 12;
constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kArp = 0x0806;

bool is_for(std::span<const std::byte> frame, const MacAddress& station) {
  for (std::size_t i = 0; i < 6; ++i)
    if (std::to_integer<std::uint8_t>(frame[i]) != station.bytes()[i]) return false;
  return true;
}

}  // namespace

bool Gate::lets_out(std::span<const std::byte> frame) const {
  if (frame.size() < kEthernetHeader) return false;
  const auto type = wire::load16(frame, kType);
  if (type == kIpv4) return is_for(frame, mac_);
  if (type != kArp) return false;
  const auto parsed = parse(frame);
  const auto* packet = std::get_if<Packet>(&parsed);
  return packet != nullptr && packet->kind == PacketKind::Arp && packet->to == address_;
}

bool Gate::lets_in(std::span<const std::byte> frame) const {
  if (frame.size() < kEthernetHeader) return false;
  const auto type = wire::load16(frame, kType);
  const bool group = (std::to_integer<unsigned>(frame[0]) & 1) != 0;
  return type == kArp || (type == kIpv4 && !group);
}

}  // namespace capsa::net::host_nat
