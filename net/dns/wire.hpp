#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace capsa::net::dns {

/// Reads numbers of the network's byte order, and nothing beyond the end: after the first attempt
/// everything reads as zero and ok() is false, so that one look at the end is enough.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes, std::size_t at = 0) : bytes_(bytes), at_(at) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() { return number(4); }
  /// Empty where there are not so many.
  std::span<const std::byte> bytes(std::size_t count) {
    if (!ok_ || bytes_.size() - at_ < count) {
      ok_ = false;
      return {};
    }
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  bool ok() const noexcept { return ok_; }
  bool at_end() const noexcept { return at_ == bytes_.size(); }
  std::size_t at() const noexcept { return at_; }
  void seek(std::size_t at) noexcept { at_ = at; }

 private:
  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const std::byte byte : bytes(size))
      value = value << 8 | std::to_integer<std::uint32_t>(byte);
    return value;
  }

  std::span<const std::byte> bytes_;
  std::size_t at_;
  bool ok_ = true;
};

inline void put_u8(std::vector<std::byte>& out, unsigned value) {
  out.push_back(static_cast<std::byte>(value));
}
inline void put_u16(std::vector<std::byte>& out, unsigned value) {
  put_u8(out, value >> 8);
  put_u8(out, value);
}
inline void put_u32(std::vector<std::byte>& out, std::uint32_t value) {
  put_u16(out, value >> 16);
  put_u16(out, value);
}

}  // namespace capsa::net::dns
