#pragma once

#include <capsa/ip_address.hpp>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <net/packet/mac_address.hpp>
#include <string_view>
#include <vector>

namespace capsa::net::dhcp::test {

using Bytes = std::vector<std::byte>;

inline MacAddress mac(unsigned number) {
  return MacAddress({0x52, 0x54, 0, 0, static_cast<std::uint8_t>(number >> 8),
                     static_cast<std::uint8_t>(number)});
}

inline IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

/// Writes what a client sends, malformed too; knows nothing of the code under test.
class Request {
 public:
  explicit Request(unsigned type, const MacAddress& hardware = mac(1)) : out_(240) {
    set(0, {1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef});
    for (std::size_t i = 0; i < 6; ++i)
      out_[28 + i] = std::byte{hardware.bytes()[i]};
    set(236, {0x63, 0x82, 0x53, 0x63});
    if (type != 0) option(53, {static_cast<int>(type)});
  }
  Request& set(std::size_t at, std::initializer_list<int> values) {
    for (const int value : values)
      out_[at++] = static_cast<std::byte>(value);
    return *this;
  }
  Request& option(int code, std::initializer_list<int> values) {
    raw({code, static_cast<int>(values.size())});
    return raw(values);
  }
  Request& raw(std::initializer_list<int> values) {
    for (const int value : values)
      out_.push_back(static_cast<std::byte>(value));
    return *this;
  }
  Request& fill(std::size_t count, int value) {
    out_.resize(out_.size() + count, static_cast<std::byte>(value));
    return *this;
  }
  Request& address(int code, const IpAddress& address) {
    raw({code, 4});
    for (const std::uint8_t byte : address.bytes())
      out_.push_back(std::byte{byte});
    return *this;
  }
  Request& client(const IpAddress& address) {
    for (std::size_t i = 0; i < 4; ++i)
      out_[12 + i] = std::byte{address.bytes()[i]};
    return *this;
  }
  Request& broadcast() { return set(10, {0x80, 0}); }
  Bytes done() const {
    Bytes out = out_;
    out.push_back(std::byte{255});
    return out;
  }
  const Bytes& cut() const { return out_; }

 private:
  Bytes out_;
};

}  // namespace capsa::net::dhcp::test
