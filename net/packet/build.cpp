#include <algorithm>
#include <cstring>
#include <net/packet/build.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net {
namespace {

using wire::store16;
using wire::store32;
using wire::store8;

constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;

std::size_t ip_header(const IpFields& ip) {
  return ip.from.is_v4() ? kIpv4Header : kIpv6Header;
}

/// A frame with its Ethernet and IP headers, and zeros for the transport.
FrameBytes start_ip(const EthernetFields& ethernet, const IpFields& ip, std::uint8_t protocol,
                    std::size_t length) {
  const std::size_t at = kEthernetHeader;
  FrameBytes frame(at + ip_header(ip) + length);
  wire::store_mac(frame, 0, ethernet.to);
  wire::store_mac(frame, MacAddress::kSize, ethernet.from);
  if (ip.from.is_v4()) {
    store16(frame, 12, kEtherIpv4);
    store8(frame, at, 0x45);
    store16(frame, at + 2, static_cast<std::uint16_t>(kIpv4Header + length));
    store16(frame, at + 6, 0x4000);  // do not fragment: no identification is needed (RFC 6864)
    store8(frame, at + 8, ip.ttl);
    store8(frame, at + 9, protocol);
    wire::store_address(frame, at + 12, ip.from);
    wire::store_address(frame, at + 16, ip.to);
    store16(frame, at + 10, internet_checksum(std::span(frame).subspan(at, kIpv4Header)));
  } else {
    store16(frame, 12, kEtherIpv6);
    store8(frame, at, 0x60);
    store16(frame, at + 4, static_cast<std::uint16_t>(length));
    store8(frame, at + 6, protocol);
    store8(frame, at + 7, ip.ttl);
    wire::store_address(frame, at + 8, ip.from);
    wire::store_address(frame, at + 24, ip.to);
  }
  return frame;
}

void put(FrameBytes& frame, std::size_t at, std::span<const std::byte> bytes) {
  std::copy(bytes.begin(), bytes.end(), frame.begin() + static_cast<std::ptrdiff_t>(at));
}

/// Completes a checksum whose field is zero.
void complete(FrameBytes& frame, const IpFields& ip, std::uint8_t protocol, std::size_t field) {
  const std::size_t transport = kEthernetHeader + ip_header(ip);
  const auto bytes = std::span<const std::byte>(frame).subspan(transport);
  const auto start = protocol == ip_protocol::kIcmp
                         ? 0
                         : pseudo_header_sum(ip.from, ip.to, protocol, bytes.size());
  auto checksum = checksum_finish(checksum_add(start, bytes));
  // Zero says that there is none (RFC 768).
  if (protocol == ip_protocol::kUdp && checksum == 0) checksum = 0xffff;
  store16(frame, transport + field, checksum);
}

}  // namespace

std::uint64_t checksum_add(std::uint64_t sum, std::span<const std::byte> bytes) noexcept {
  std::size_t at = 0;
  for (; at + 2 <= bytes.size(); at += 2)
    sum += wire::load16(bytes, at);
  if (at < bytes.size()) sum += std::uint64_t{wire::load8(bytes, at)} << 8;
  return sum;
}

std::uint16_t checksum_finish(std::uint64_t sum) noexcept {
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint16_t internet_checksum(std::span<const std::byte> bytes) noexcept {
  return checksum_finish(checksum_add(0, bytes));
}

std::uint64_t pseudo_header_sum(const IpAddress& from, const IpAddress& to, std::uint8_t protocol,
                                std::size_t transport_length) noexcept {
  return checksum_add(
      checksum_add(std::uint64_t{protocol} + transport_length, std::as_bytes(from.bytes())),
      std::as_bytes(to.bytes()));
}

FrameBytes build_ethernet(const EthernetFields& ethernet, std::uint16_t type,
                          std::span<const std::byte> payload) {
  FrameBytes frame(kEthernetHeader + payload.size());
  wire::store_mac(frame, 0, ethernet.to);
  wire::store_mac(frame, MacAddress::kSize, ethernet.from);
  store16(frame, 12, type);
  put(frame, kEthernetHeader, payload);
  return frame;
}

FrameBytes build_ip(const EthernetFields& ethernet, const IpFields& ip, std::uint8_t protocol,
                    std::span<const std::byte> transport) {
  FrameBytes frame = start_ip(ethernet, ip, protocol, transport.size());
  put(frame, frame.size() - transport.size(), transport);
  return frame;
}

FrameBytes build_udp(const EthernetFields& ethernet, const IpFields& ip, std::uint16_t from_port,
                     std::uint16_t to_port, std::span<const std::byte> payload) {
  FrameBytes frame = start_ip(ethernet, ip, ip_protocol::kUdp, 8 + payload.size());
  const std::size_t at = kEthernetHeader + ip_header(ip);
  store16(frame, at, from_port);
  store16(frame, at + 2, to_port);
  store16(frame, at + 4, static_cast<std::uint16_t>(8 + payload.size()));
  put(frame, at + 8, payload);
  complete(frame, ip, ip_protocol::kUdp, 6);
  return frame;
}

FrameBytes build_tcp(const EthernetFields& ethernet, const IpFields& ip, const TcpFields& tcp,
                     std::span<const std::byte> payload) {
  FrameBytes frame = start_ip(ethernet, ip, ip_protocol::kTcp, 20 + payload.size());
  const std::size_t at = kEthernetHeader + ip_header(ip);
  store16(frame, at, tcp.from_port);
  store16(frame, at + 2, tcp.to_port);
  store32(frame, at + 4, tcp.sequence);
  store32(frame, at + 8, tcp.acknowledgment);
  store8(frame, at + 12, 5 << 4);
  store8(frame, at + 13, tcp.flags);
  store16(frame, at + 14, tcp.window);
  put(frame, at + 20, payload);
  complete(frame, ip, ip_protocol::kTcp, 16);
  return frame;
}

FrameBytes build_icmp(const EthernetFields& ethernet, const IpFields& ip, std::uint8_t type,
                      std::uint8_t code, std::uint32_t rest, std::span<const std::byte> body) {
  const auto protocol = ip.from.is_v4() ? ip_protocol::kIcmp : ip_protocol::kIcmpV6;
  FrameBytes frame = start_ip(ethernet, ip, protocol, 8 + body.size());
  const std::size_t at = kEthernetHeader + ip_header(ip);
  store8(frame, at, type);
  store8(frame, at + 1, code);
  store32(frame, at + 4, rest);
  put(frame, at + 8, body);
  complete(frame, ip, protocol, 2);
  return frame;
}

FrameBytes build_arp(const EthernetFields& ethernet, const ArpFields& arp) {
  std::array<std::byte, 28> body{};
  store16(body, 0, 1);
  store16(body, 2, kEtherIpv4);
  store8(body, 4, 6);
  store8(body, 5, 4);
  store16(body, 6, arp.operation);
  wire::store_mac(body, 8, arp.sender_mac);
  wire::store_address(body, 14, arp.sender);
  wire::store_mac(body, 18, arp.target_mac);
  wire::store_address(body, 24, arp.target);
  return build_ethernet(ethernet, kEtherArp, body);
}

}  // namespace capsa::net
