#pragma once

#include <cstddef>
#include <cstdint>
#include <net/packet/build.hpp>

namespace capsa::bench {

inline net::MacAddress station(std::uint8_t number) {
  return net::MacAddress({0x02, 0xca, 0, 0, 0, number});
}

/// A UDP datagram in an IP packet of `size` bytes, behind an Ethernet header.
inline net::FrameBytes datagram(const net::MacAddress& from, const net::MacAddress& to,
                                std::size_t size) {
  constexpr std::size_t kHeaders = 28;
  const std::vector<std::byte> payload(size - kHeaders);
  return net::build_udp({to, from}, {IpAddress::v4(10, 0, 2, 15), IpAddress::v4(10, 0, 2, 16)},
                        5001, 5001, payload);
}

}  // namespace capsa::bench
