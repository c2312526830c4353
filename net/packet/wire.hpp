#pragma once

#include <capsa/ip_address.hpp>
#include <cstddef>
#include <cstdint>
#include <net/packet/mac_address.hpp>
#include <span>

/// Numbers and addresses in network order. The caller has checked that the bytes are there.
namespace capsa::net::wire {

inline std::uint8_t load8(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return std::to_integer<std::uint8_t>(bytes[at]);
}
inline std::uint16_t load16(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(load8(bytes, at) << 8 | load8(bytes, at + 1));
}
inline std::uint32_t load32(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return std::uint32_t{load16(bytes, at)} << 16 | load16(bytes, at + 2);
}
inline IpAddress load_v4(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return IpAddress::from_v4_bytes(bytes.subspan(at).first<4>());
}
inline IpAddress load_v6(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return IpAddress::from_v6_bytes(bytes.subspan(at).first<16>());
}
inline MacAddress load_mac(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return MacAddress::from_bytes(bytes.subspan(at).first<MacAddress::kSize>());
}

inline void store8(std::span<std::byte> bytes, std::size_t at, std::uint8_t value) noexcept {
  bytes[at] = static_cast<std::byte>(value);
}
inline void store16(std::span<std::byte> bytes, std::size_t at, std::uint16_t value) noexcept {
  store8(bytes, at, static_cast<std::uint8_t>(value >> 8));
  store8(bytes, at + 1, static_cast<std::uint8_t>(value));
}
inline void store32(std::span<std::byte> bytes, std::size_t at, std::uint32_t value) noexcept {
  store16(bytes, at, static_cast<std::uint16_t>(value >> 16));
  store16(bytes, at + 2, static_cast<std::uint16_t>(value));
}
/// 4 or 16 bytes.
inline void store_address(std::span<std::byte> bytes, std::size_t at,
                          const IpAddress& address) noexcept {
  for (const std::uint8_t byte : address.bytes())
    store8(bytes, at++, byte);
}
inline void store_mac(std::span<std::byte> bytes, std::size_t at,
                      const MacAddress& address) noexcept {
  for (const std::uint8_t byte : address.bytes())
    store8(bytes, at++, byte);
}

}  // namespace capsa::net::wire
