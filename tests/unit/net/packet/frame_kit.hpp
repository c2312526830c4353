#pragma once

#include <net/packet/build.hpp>
#include <net/packet/packet.hpp>
#include <net/packet/wire.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

/// Frames of a guest for tests.
namespace capsa::net::test {

inline IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

inline const MacAddress kGuestMac({0x52, 0x54, 0, 0, 0, 1});
inline const MacAddress kGatewayMac({0x52, 0x55, 10, 0, 2, 2});
inline const EthernetFields kOut{kGatewayMac, kGuestMac};
inline const EthernetFields kIn{kGuestMac, kGatewayMac};

inline std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline Packet parsed(std::span<const std::byte> frame) {
  const auto result = parse(frame);
  if (const auto* packet = std::get_if<Packet>(&result)) return *packet;
  throw std::runtime_error(std::string(to_string(std::get<ParseProblem>(result))));
}

/// The problem, or nothing where the frame is good.
inline std::string problem_of(std::span<const std::byte> frame) {
  const auto result = parse(frame);
  if (const auto* problem = std::get_if<ParseProblem>(&result))
    return std::string(to_string(*problem));
  return "";
}

/// After a change of an IPv4 header.
inline void fix_ipv4_checksum(FrameBytes& frame) {
  const std::size_t length = (wire::load8(frame, 14) & 0xfU) * std::size_t{4};
  wire::store16(frame, 24, 0);
  wire::store16(frame, 24, internet_checksum(std::span(frame).subspan(14, length)));
}

}  // namespace capsa::net::test
