#pragma once

#include <algorithm>
#include <capsa/ip_address.hpp>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

namespace capsa::net::dns::test {

using Bytes = std::vector<std::byte>;

inline Bytes bytes(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values)
    out.push_back(static_cast<std::byte>(value));
  return out;
}

/// Writes messages as a peer would, malformed ones too; knows nothing of the code under test.
class Wire {
 public:
  Bytes out;

  Wire& u8(unsigned value) {
    out.push_back(static_cast<std::byte>(value));
    return *this;
  }
  Wire& u16(unsigned value) { return u8(value >> 8 & 0xff).u8(value & 0xff); }
  Wire& u32(unsigned value) { return u16(value >> 16).u16(value & 0xffff); }
  Wire& raw(const Bytes& more) {
    out.insert(out.end(), more.begin(), more.end());
    return *this;
  }
  /// "a.b" with its lengths and the root behind; "" for the root.
  Wire& name(std::string_view text) {
    while (!text.empty()) {
      const auto label = text.substr(0, text.find('.'));
      u8(static_cast<unsigned>(label.size()));
      for (const char c : label)
        u8(static_cast<std::uint8_t>(c));
      text.remove_prefix(std::min(label.size() + 1, text.size()));
    }
    return u8(0);
  }
  Wire& header(unsigned id, unsigned flags, unsigned questions = 1, unsigned answers = 0,
               unsigned authorities = 0, unsigned additionals = 0) {
    return u16(id).u16(flags).u16(questions).u16(answers).u16(authorities).u16(additionals);
  }
  Wire& question(std::string_view text, unsigned type, unsigned cls = 1) {
    return name(text).u16(type).u16(cls);
  }
  Wire& record(std::string_view owner, unsigned type, unsigned ttl, const Bytes& data,
               unsigned cls = 1) {
    name(owner).u16(type).u16(cls).u32(ttl).u16(static_cast<unsigned>(data.size()));
    return raw(data);
  }
  Wire& address(std::string_view owner, std::string_view text, unsigned ttl = 300) {
    const auto ip = IpAddress::parse(text).value();
    Bytes data;
    for (const std::uint8_t byte : ip.bytes())
      data.push_back(std::byte{byte});
    return record(owner, ip.is_v4() ? 1 : 28, ttl, data);
  }
  Wire& cname(std::string_view owner, std::string_view target, unsigned ttl = 300) {
    return record(owner, 5, ttl, Wire().name(target).out);
  }
  Wire& soa(std::string_view owner, unsigned ttl = 300) {
    return record(owner, 6, ttl,
                  Wire().name("ns.test").name("root.test").u32(1).u32(2).u32(3).u32(4).u32(5).out);
  }
  Wire& opt(unsigned size, unsigned version = 0, const Bytes& options = {}) {
    return u8(0)
        .u16(41)
        .u16(size)
        .u32(version << 16)
        .u16(static_cast<unsigned>(options.size()))
        .raw(options);
  }
};

inline unsigned u16_at(std::span<const std::byte> message, std::size_t at) {
  return std::to_integer<unsigned>(message[at]) << 8 | std::to_integer<unsigned>(message[at + 1]);
}

inline Bytes query(unsigned id, std::string_view name, unsigned type = 1, unsigned cls = 1) {
  return Wire().header(id, 0x0100).question(name, type, cls).out;
}

}  // namespace capsa::net::dns::test
