#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace capsa::kvm {

/// The sum of all bytes modulo 256: 0 for a table whose checksum is right.
constexpr std::uint8_t byte_sum(std::span<const std::byte> bytes) noexcept {
  std::uint8_t sum = 0;
  for (const std::byte byte : bytes)
    sum = static_cast<std::uint8_t>(sum + std::to_integer<std::uint8_t>(byte));
  return sum;
}

/// What the checksum field of these bytes must hold, given that it is zero now.
constexpr std::uint8_t checksum(std::span<const std::byte> bytes) noexcept {
  return static_cast<std::uint8_t>(-byte_sum(bytes));
}

}  // namespace capsa::kvm
