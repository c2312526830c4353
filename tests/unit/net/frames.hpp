#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <net/frame_batch.hpp>
#include <numeric>
#include <span>
#include <vector>

namespace capsa::net::test {

using Bytes = std::vector<std::byte>;

inline Bytes pattern(std::size_t size, unsigned seed = 0) {
  Bytes bytes(size);
  for (std::size_t at = 0; at < size; ++at)
    bytes[at] = static_cast<std::byte>(at * 7 + at / 251 + seed);
  return bytes;
}

inline void put16(std::span<std::byte> bytes, std::size_t at, unsigned value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value);
}

struct TcpSpec {
  bool ipv6 = false;
  int tags = 0;             ///< of VLANs
  std::size_t options = 0;  ///< bytes of TCP options; a multiple of 4
  std::uint16_t source = 40000;
  std::uint16_t destination = 80;
  bool reply = false;  ///< addresses the other way round
};

/// Bytes before the TCP header.
constexpr std::size_t tcp_start(const TcpSpec& spec) {
  return 14U + 4U * static_cast<std::size_t>(spec.tags) + (spec.ipv6 ? 40U : 20U);
}

/// A TCP segment whose checksum field is zero.
inline Bytes tcp_frame(std::size_t payload, TcpSpec spec = {}) {
  const std::size_t start = tcp_start(spec);
  Bytes frame = pattern(start + 20 + spec.options + payload);
  std::size_t at = 12;
  for (int tag = 0; tag < spec.tags; ++tag, at += 4)
    put16(frame, at, 0x8100);
  put16(frame, at, spec.ipv6 ? 0x86dd : 0x0800);
  const std::size_t ip = at + 2;
  std::size_t addresses = ip + 12;
  std::size_t address = 4;
  if (spec.ipv6) {
    frame[ip] = std::byte{0x60};
    frame[ip + 6] = std::byte{6};
    addresses = ip + 8;
    address = 16;
  } else {
    frame[ip] = std::byte{0x45};
    put16(frame, ip + 6, 0x4000);
    frame[ip + 9] = std::byte{6};
  }
  for (std::size_t i = 0; i < address; ++i) {
    frame[addresses + i] = static_cast<std::byte>(spec.reply ? 200 + i : 10 + i);
    frame[addresses + address + i] = static_cast<std::byte>(spec.reply ? 10 + i : 200 + i);
  }
  put16(frame, start, spec.reply ? spec.destination : spec.source);
  put16(frame, start + 2, spec.reply ? spec.source : spec.destination);
  frame[start + 12] = static_cast<std::byte>((20 + spec.options) / 4 << 4);
  put16(frame, start + 16, 0);
  return frame;
}

/// What goes with it where it is to be cut.
inline FrameMeta tcp_gso(TcpSpec spec = {}, std::uint16_t gso_size = 1448) {
  FrameMeta meta;
  meta.needs_checksum = true;
  meta.checksum_start = static_cast<std::uint16_t>(tcp_start(spec));
  meta.checksum_offset = 16;
  meta.gso = spec.ipv6 ? Gso::TcpV6 : Gso::TcpV4;
  meta.gso_size = gso_size;
  meta.header_length = static_cast<std::uint16_t>(tcp_start(spec) + 20 + spec.options);
  return meta;
}

/// The checksum of RFC 1071, word by word.
inline std::uint16_t reference_checksum(std::span<const std::byte> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at)
    sum += std::to_integer<std::uint32_t>(bytes[at]) << (at % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

inline Frame make_frame(FramePool& pool, std::span<const std::byte> bytes, FrameMeta meta = {}) {
  Frame frame = pool.make(bytes.size());
  if (!frame) return frame;
  std::copy(bytes.begin(), bytes.end(), frame.bytes().begin());
  frame.meta() = meta;
  return frame;
}

inline Bytes bytes_of(const Frame& frame) {
  return {frame.bytes().begin(), frame.bytes().end()};
}

}  // namespace capsa::net::test
