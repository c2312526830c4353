#include <array>
#include <capsa/ip_address.hpp>
#include <charconv>
#include <ostream>

#include "quote.hpp"

namespace capsa {
namespace {

using detail::quote;

constexpr std::string_view kHex = "0123456789abcdef";

std::optional<std::uint32_t> parse_v4(std::string_view text) {
  std::uint32_t value = 0;
  for (int part = 0; part < 4; ++part) {
    if (part != 0) {
      if (text.empty() || text.front() != '.') return std::nullopt;
      text.remove_prefix(1);
    }
    std::size_t digits = 0;
    std::uint32_t number = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
      // inet_aton(3) reads 010 as 8: refused, so that nobody is in doubt.
      if (digits == 3 || (digits == 1 && number == 0)) return std::nullopt;
      number = number * 10 + static_cast<std::uint32_t>(text[digits++] - '0');
    }
    if (digits == 0 || number > 255) return std::nullopt;
    value = value << 8 | number;
    text.remove_prefix(digits);
  }
  return text.empty() ? std::optional(value) : std::nullopt;
}

/// One to four hexadecimal digits from the front of `text`.
std::optional<std::uint16_t> take_group(std::string_view& text) {
  std::size_t digits = 0;
  unsigned value = 0;
  for (; digits < text.size() && digits < 5; ++digits) {
    const char c = text[digits];
    const auto at = kHex.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
    if (at == std::string_view::npos) break;
    value = value << 4 | static_cast<unsigned>(at);
  }
  if (digits == 0 || digits > 4) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<std::uint16_t>(value);
}

std::optional<std::array<std::uint16_t, 8>> parse_v6(std::string_view text) {
  std::array<std::uint16_t, 8> groups{};
  std::size_t count = 0;
  std::optional<std::size_t> gap;
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    if (count == 8) return std::nullopt;
    const auto end = text.find_first_of(":.");
    if (end != std::string_view::npos && text[end] == '.') {  // the last 32 bits
      const auto tail = parse_v4(text);
      if (!tail || count > 6) return std::nullopt;
      groups[count++] = static_cast<std::uint16_t>(*tail >> 16);
      groups[count++] = static_cast<std::uint16_t>(*tail);
      text = {};
      break;
    }
    const auto group = take_group(text);
    if (!group) return std::nullopt;
    groups[count++] = *group;
    if (text.empty()) break;
    if (text.front() != ':' || text.size() == 1) return std::nullopt;
    text.remove_prefix(1);
    if (text.front() == ':') {
      if (gap) return std::nullopt;
      gap = count;
      text.remove_prefix(1);
    }
  }
  if (!gap) return count == 8 ? std::optional(groups) : std::nullopt;
  if (count == 8) return std::nullopt;  // "::" stands for one group at least
  const std::size_t behind = count - *gap;
  for (std::size_t i = 0; i < behind; ++i) {
    groups[7 - i] = groups[count - 1 - i];
    if (7 - i != count - 1 - i) groups[count - 1 - i] = 0;
  }
  return groups;
}

void append_hex(std::string& out, std::uint16_t group) {
  bool begun = false;
  for (int shift = 12; shift >= 0; shift -= 4) {
    const unsigned digit = (group >> shift) & 0xfU;
    if (digit != 0 || shift == 0) begun = true;
    if (begun) out += kHex[digit];
  }
}

unsigned longest_prefix(const IpAddress& address) {
  return address.is_v4() ? 32 : 128;
}

/// `address` with all bits behind the prefix as `ones` says.
IpAddress fill(const IpAddress& address, unsigned prefix, bool ones) {
  std::array<std::byte, 16> out{};
  const auto bytes = address.bytes();
  for (unsigned i = 0; i < bytes.size(); ++i) {
    const unsigned kept = prefix >= (i + 1) * 8 ? 8 : prefix > i * 8 ? prefix - i * 8 : 0;
    const unsigned mask = (0xff00U >> kept) & 0xff;
    out[i] = static_cast<std::byte>(ones ? bytes[i] | (~mask & 0xff) : bytes[i] & mask);
  }
  const std::span all(out);
  return address.is_v4() ? IpAddress::from_v4_bytes(all.first<4>())
                         : IpAddress::from_v6_bytes(all.first<16>());
}

}  // namespace

result<IpAddress> IpAddress::parse(std::string_view text) {
  if (const auto value = parse_v4(text)) return v4(*value);
  if (const auto groups = parse_v6(text)) return v6(*groups);
  return error(ErrorCode::InvalidConfig, quote(text) + " is not an IP address",
               "write 192.0.2.1, or 2001:db8::1 without a zone");
}

std::string IpAddress::to_string() const {
  std::string out;
  if (!v6_) {
    for (const std::uint8_t byte : bytes()) {
      if (!out.empty()) out += '.';
      out += std::to_string(byte);
    }
    return out;
  }
  std::array<std::uint16_t, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i)
    groups[i] = static_cast<std::uint16_t>(bytes_[2 * i] << 8 | bytes_[2 * i + 1]);
  // RFC 5952: the first of the longest runs of two zeros or more, and v4-mapped in decimal.
  std::size_t run = 8;
  std::size_t length = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t zeros = 0;
    while (i + zeros < 8 && groups[i + zeros] == 0)
      ++zeros;
    if (zeros > length) {
      run = i;
      length = zeros;
    }
  }
  const bool mapped = run == 0 && length == 5 && groups[5] == 0xffff;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == run) {
      out += "::";
      i += length - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    if (mapped && i == 6) return out + embedded_v4()->to_string();
    append_hex(out, groups[i]);
  }
  return out;
}

result<IpNetwork> IpNetwork::make(const IpAddress& address, unsigned prefix) {
  const unsigned longest = longest_prefix(address);
  const std::string given = address.to_string() + "/" + std::to_string(prefix);
  if (prefix > longest) {
    return error(ErrorCode::InvalidConfig,
                 given + " has a prefix of " + std::to_string(prefix) + " bits; 0 to " +
                     std::to_string(longest) + " are allowed",
                 "give the number of bits that all addresses of the network share");
  }
  const IpNetwork network = around(address, prefix);
  if (network.address() != address) {
    return error(ErrorCode::InvalidConfig, given + " has bits set behind its prefix",
                 "write " + network.to_string() + " for the network, or " + address.to_string() +
                     "/" + std::to_string(longest) + " for the one address");
  }
  return network;
}

IpNetwork IpNetwork::around(const IpAddress& address, unsigned prefix) {
  prefix = std::min(prefix, longest_prefix(address));
  return {fill(address, prefix, false), prefix};
}

result<IpNetwork> IpNetwork::parse(std::string_view text) {
  const auto slash = text.find('/');
  unsigned prefix = 0;
  const auto digits = slash == std::string_view::npos ? text.substr(0, 0) : text.substr(slash + 1);
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (digits.empty() || digits.size() > 3 || problem != std::errc() ||
      end != digits.data() + digits.size() || (digits.size() > 1 && digits.front() == '0')) {
    return error(ErrorCode::InvalidConfig, quote(text) + " is not a network",
                 "write an address and a prefix, as 10.0.0.0/8");
  }
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return address.error();
  return make(*address, prefix);
}

bool IpNetwork::contains(const IpAddress& address) const noexcept {
  return address.is_v4() == address_.is_v4() && fill(address, prefix_, false) == address_;
}

IpAddress IpNetwork::mask() const noexcept {
  const IpAddress ones = fill(fill(address_, 0, false), 0, true);
  return fill(ones, prefix_, false);
}

IpAddress IpNetwork::last() const noexcept {
  return fill(address_, prefix_, true);
}

std::string IpNetwork::to_string() const {
  return address_.to_string() + "/" + std::to_string(prefix_);
}

std::ostream& operator<<(std::ostream& out, const IpAddress& address) {
  return out << address.to_string();
}
std::ostream& operator<<(std::ostream& out, const IpNetwork& network) {
  return out << network.to_string();
}

}  // namespace capsa
