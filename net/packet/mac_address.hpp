#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace capsa::net {

/// An Ethernet address. A plain value; the default one is 00:00:00:00:00:00, which nobody has.
class MacAddress {
 public:
  static constexpr std::size_t kSize = 6;

  constexpr MacAddress() = default;
  constexpr explicit MacAddress(const std::array<std::uint8_t, kSize>& bytes) : bytes_(bytes) {}
  static constexpr MacAddress from_bytes(std::span<const std::byte, kSize> wire) {
    MacAddress out;
    for (std::size_t i = 0; i < kSize; ++i)
      out.bytes_[i] = std::to_integer<std::uint8_t>(wire[i]);
    return out;
  }
  static constexpr MacAddress broadcast() {
    return MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  }
  /// Six pairs of hexadecimal digits with colons; nothing for anything else.
  static std::optional<MacAddress> parse(std::string_view text);

  constexpr const std::array<std::uint8_t, kSize>& bytes() const noexcept { return bytes_; }
  constexpr bool is_broadcast() const noexcept { return *this == broadcast(); }
  /// The group bit (IEEE 802-2014, 8.2.2): many receivers, and never a sender. Of broadcast too.
  constexpr bool is_multicast() const noexcept { return (bytes_[0] & 1) != 0; }
  constexpr bool is_zero() const noexcept { return *this == MacAddress(); }

  /// "52:54:00:12:34:56"
  std::string to_string() const;

  friend constexpr bool operator==(const MacAddress&, const MacAddress&) = default;
  friend constexpr std::strong_ordering operator<=>(const MacAddress&, const MacAddress&) = default;

 private:
  std::array<std::uint8_t, kSize> bytes_{};
};

inline std::string to_string(const MacAddress& address) {
  return address.to_string();
}
std::ostream& operator<<(std::ostream&, const MacAddress&);

}  // namespace capsa::net

template <>
struct std::hash<capsa::net::MacAddress> {
  std::size_t operator()(const capsa::net::MacAddress& address) const noexcept {
    std::uint64_t value = 0xcbf29ce484222325U;  // FNV-1a
    for (const std::uint8_t byte : address.bytes())
      value = (value ^ byte) * 0x100000001b3U;
    return static_cast<std::size_t>(value);
  }
};
