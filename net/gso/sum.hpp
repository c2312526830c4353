#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <net/packet/wire.hpp>
#include <span>

namespace capsa::net::gso {

/// A one's complement sum (RFC 1071) of 16-bit numbers, in the order of the wire.
class Sum {
 public:
  void add(std::uint16_t value) noexcept { total_ += value; }
  /// Bytes that begin a word; an odd one at the end counts as if a zero followed.
  void add(std::span<const std::byte> bytes) noexcept {
    // In the host's order, which gives the same sum with its bytes in the host's order.
    std::uint64_t sum = 0;
    std::size_t at = 0;
    for (; at + 4 <= bytes.size(); at += 4) {
      std::uint32_t word;
      std::memcpy(&word, bytes.data() + at, 4);
      sum += word;  // at most 2^14 of them in a frame
    }
    std::uint32_t last = 0;
    std::memcpy(&last, bytes.data() + at, bytes.size() - at);
    const std::uint16_t host = fold(sum + last);
    std::byte order[2];
    std::memcpy(order, &host, 2);
    total_ += wire::load16(order, 0);
  }
  std::uint16_t folded() const noexcept { return fold(total_); }

 private:
  static std::uint16_t fold(std::uint64_t total) noexcept {
    while (total >> 16 != 0)
      total = (total & 0xffff) + (total >> 16);
    return static_cast<std::uint16_t>(total);
  }
  std::uint64_t total_ = 0;
};

}  // namespace capsa::net::gso
