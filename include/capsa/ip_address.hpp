#pragma once

#include <algorithm>
#include <array>
#include <capsa/result.hpp>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace capsa {

/// An IPv4 or IPv6 address. A plain value; the default one is 0.0.0.0. Orders IPv4 before IPv6.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  /// 192.0.2.1 is v4(192, 0, 2, 1).
  static constexpr IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    IpAddress out;
    out.bytes_[0] = a;
    out.bytes_[1] = b;
    out.bytes_[2] = c;
    out.bytes_[3] = d;
    return out;
  }
  /// 192.0.2.1 is v4(0xc0000201).
  static constexpr IpAddress v4(std::uint32_t value) {
    return v4(static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
              static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value));
  }
  /// 2001:db8::1 is v6({0x2001, 0xdb8, 0, 0, 0, 0, 0, 1}).
  static constexpr IpAddress v6(const std::array<std::uint16_t, 8>& groups) {
    IpAddress out;
    out.v6_ = true;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      out.bytes_[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
      out.bytes_[2 * i + 1] = static_cast<std::uint8_t>(groups[i]);
    }
    return out;
  }
  ///@{
  /// The bytes as a packet carries them.
  static constexpr IpAddress from_v4_bytes(std::span<const std::byte, 4> wire) {
    IpAddress out;
    for (std::size_t i = 0; i < wire.size(); ++i)
      out.bytes_[i] = std::to_integer<std::uint8_t>(wire[i]);
    return out;
  }
  static constexpr IpAddress from_v6_bytes(std::span<const std::byte, 16> wire) {
    IpAddress out;
    out.v6_ = true;
    for (std::size_t i = 0; i < wire.size(); ++i)
      out.bytes_[i] = std::to_integer<std::uint8_t>(wire[i]);
    return out;
  }
  ///@}
  /// "192.0.2.1" with four decimal numbers and no leading zeros, or RFC 4291, 2.2 without a zone.
  /// InvalidConfig for anything else.
  static result<IpAddress> parse(std::string_view text);

  ///@{
  /// An IPv6 address that stands for an IPv4 one is v6: see embedded_v4().
  constexpr bool is_v4() const noexcept { return !v6_; }
  constexpr bool is_v6() const noexcept { return v6_; }
  ///@}
  /// 4 or 16 bytes, as a packet carries them.
  constexpr std::span<const std::uint8_t> bytes() const noexcept {
    return {bytes_.data(), v6_ ? std::size_t{16} : std::size_t{4}};
  }
  /// The number of an IPv4 address; of an IPv6 address its first four bytes.
  constexpr std::uint32_t to_v4() const noexcept {
    return std::uint32_t{bytes_[0]} << 24 | std::uint32_t{bytes_[1]} << 16 |
           std::uint32_t{bytes_[2]} << 8 | std::uint32_t{bytes_[3]};
  }

  /// 0.0.0.0 or ::
  constexpr bool is_unspecified() const noexcept { return *this == (v6_ ? v6({}) : IpAddress()); }
  /// 127.0.0.0/8 or ::1
  constexpr bool is_loopback() const noexcept {
    return v6_ ? *this == v6({0, 0, 0, 0, 0, 0, 0, 1}) : bytes_[0] == 127;
  }
  /// 169.254.0.0/16 or fe80::/10
  constexpr bool is_link_local() const noexcept {
    return v6_ ? bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80
               : bytes_[0] == 169 && bytes_[1] == 254;
  }
  /// 224.0.0.0/4 or ff00::/8
  constexpr bool is_multicast() const noexcept {
    return v6_ ? bytes_[0] == 0xff : (bytes_[0] & 0xf0) == 0xe0;
  }
  /// 255.255.255.255
  constexpr bool is_broadcast() const noexcept { return !v6_ && to_v4() == 0xffffffff; }
  /// Of somebody's own network and never of the Internet: 10/8, 172.16/12, 192.168/16 (RFC 1918),
  /// 100.64/10 (RFC 6598), 192.0.0/24 (RFC 6890), 198.18/15 (RFC 2544); fc00::/7 (RFC 4193),
  /// fec0::/10 (RFC 3879), 64:ff9b:1::/48 (RFC 8215).
  constexpr bool is_private() const noexcept {
    if (v6_) {
      return (bytes_[0] & 0xfe) == 0xfc || (bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0xc0) ||
             (to_v4() == 0x0064ff9b && bytes_[4] == 0 && bytes_[5] == 1);
    }
    const std::uint32_t value = to_v4();
    return bytes_[0] == 10 || value >> 20 == 0xac1 || value >> 16 == 0xc0a8 ||
           value >> 22 == 0x64400000U >> 22 || value >> 8 == 0xc00000 || value >> 17 == 0xc612 >> 1;
  }
  /// The IPv4 address that an IPv6 address stands for: v4-mapped ::ffff:0:0/96 and v4-compatible
  /// ::/96 (RFC 4291, 2.5.5; not :: and ::1), ::ffff:0:0:0/96 (RFC 2765), 64:ff9b::/96 (RFC 6052),
  /// 2002::/16 (RFC 3056). Whoever judges an address judges this one instead.
  constexpr std::optional<IpAddress> embedded_v4() const noexcept {
    if (!v6_) return std::nullopt;
    const auto at = [this](std::size_t i) {
      return v4(bytes_[i], bytes_[i + 1], bytes_[i + 2], bytes_[i + 3]);
    };
    const auto zero = [this](std::size_t from, std::size_t to) {
      return std::all_of(bytes_.begin() + from, bytes_.begin() + to,
                         [](std::uint8_t byte) { return byte == 0; });
    };
    if (to_v4() == 0x0064ff9b && zero(4, 12)) return at(12);
    if (bytes_[0] == 0x20 && bytes_[1] == 0x02) return at(2);
    if (!zero(0, 8)) return std::nullopt;
    if (zero(8, 10) && bytes_[10] == 0xff && bytes_[11] == 0xff) return at(12);
    if (bytes_[8] == 0xff && bytes_[9] == 0xff && zero(10, 12)) return at(12);
    if (zero(8, 12) && !is_unspecified() && !is_loopback()) return at(12);
    return std::nullopt;
  }

  /// "192.0.2.1", or RFC 5952.
  std::string to_string() const;

  friend constexpr bool operator==(const IpAddress&, const IpAddress&) = default;
  friend constexpr std::strong_ordering operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  bool v6_ = false;
  std::array<std::uint8_t, 16> bytes_{};  // an IPv4 address has four, and zeros behind
};

/// All addresses that share their first `prefix()` bits; the others are zero. A plain value; the
/// default one is 0.0.0.0/0.
class IpNetwork {
 public:
  constexpr IpNetwork() = default;
  /// Refuses a prefix over 32 or 128, and an address with bits behind the prefix: 10.0.0.1/8 may be
  /// meant as one address or as a network. InvalidConfig.
  static result<IpNetwork> make(const IpAddress& address, unsigned prefix);
  /// The network of that size in which `address` lies; a prefix that is too long counts as the
  /// longest.
  static IpNetwork around(const IpAddress& address, unsigned prefix);
  /// "10.0.0.0/8"; an address without a prefix is refused, and what make() refuses.
  static result<IpNetwork> parse(std::string_view text);

  /// The first one; the bits behind the prefix are zero.
  constexpr const IpAddress& address() const noexcept { return address_; }
  /// Bits: 0 to 32, or to 128.
  constexpr unsigned prefix() const noexcept { return prefix_; }
  /// False for an address of the other family.
  bool contains(const IpAddress& address) const noexcept;
  /// 255.255.255.0 for /24; the same number of bits for IPv6.
  IpAddress mask() const noexcept;
  /// The last address; the broadcast address of an IPv4 network.
  IpAddress last() const noexcept;
  /// "10.0.0.0/8".
  std::string to_string() const;

  friend constexpr bool operator==(const IpNetwork&, const IpNetwork&) = default;

 private:
  constexpr IpNetwork(const IpAddress& address, unsigned prefix)
      : address_(address), prefix_(prefix) {}
  IpAddress address_;
  unsigned prefix_ = 0;
};

///@{
/// As the member function of that name.
inline std::string to_string(const IpAddress& address) {
  return address.to_string();
}
inline std::string to_string(const IpNetwork& network) {
  return network.to_string();
}
///@}
std::ostream& operator<<(std::ostream&, const IpAddress&);
std::ostream& operator<<(std::ostream&, const IpNetwork&);

}  // namespace capsa

/// \cond
template <>
struct std::hash<capsa::IpAddress> {
  std::size_t operator()(const capsa::IpAddress& address) const noexcept {
    std::uint64_t value = 0xcbf29ce484222325U;  // FNV-1a
    for (const std::uint8_t byte : address.bytes())
      value = (value ^ byte) * 0x100000001b3U;
    return static_cast<std::size_t>(value);
  }
};
/// \endcond
