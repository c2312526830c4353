#pragma once

#include <net/gso/tcp_frame.hpp>
#include <net/layers.hpp>
#include <net/offload.hpp>
#include <net/packet/wire.hpp>
#include <tests/unit/net/frames.hpp>

namespace capsa::net::gso::test {

using net::test::Bytes;
using net::test::bytes_of;
using net::test::make_frame;
using net::test::pattern;
using net::test::put16;
using net::test::reference_checksum;
using net::test::tcp_frame;
using net::test::tcp_gso;
using net::test::tcp_start;
using net::test::TcpSpec;

/// Sum of pseudo header and segment, written down from the specification.
inline std::uint16_t tcp_checksum(const Bytes& frame, const TcpSpec& spec) {
  const std::size_t start = tcp_start(spec);
  const std::size_t ip = start - (spec.ipv6 ? 40 : 20);
  const std::size_t from = spec.ipv6 ? ip + 8 : ip + 12;
  Bytes summed(frame.begin() + static_cast<std::ptrdiff_t>(from),
               frame.begin() + static_cast<std::ptrdiff_t>(spec.ipv6 ? ip + 40 : ip + 20));
  const std::size_t length = frame.size() - start;
  for (const std::size_t byte : {std::size_t{0}, std::size_t{6}, length >> 8, length & 0xff})
    summed.push_back(static_cast<std::byte>(byte));
  summed.insert(summed.end(), frame.begin() + static_cast<std::ptrdiff_t>(start), frame.end());
  return reference_checksum(summed);
}

struct SegmentSpec {
  TcpSpec tcp{};
  std::uint32_t sequence = 1000;
  std::uint16_t identification = 77;
  std::uint8_t flags = kAck;
  unsigned seed = 0;  ///< of the payload
};

/// One whole segment as it is on a wire, complete and right.
inline Bytes segment(std::size_t payload, const SegmentSpec& spec = {}) {
  Bytes frame = tcp_frame(payload, spec.tcp);
  const std::size_t start = tcp_start(spec.tcp);
  const std::size_t data = start + 20 + spec.tcp.options;
  for (std::size_t at = 0; at < 12; ++at)
    frame[at] = static_cast<std::byte>(2 + at * 16);
  const std::size_t ip = start - (spec.tcp.ipv6 ? 40 : 20);
  if (spec.tcp.ipv6) {
    wire::store32(frame, ip, 0x60012345);
    put16(frame, ip + 4, static_cast<unsigned>(frame.size() - ip - 40));
    wire::store8(frame, ip + 7, 64);
  } else {
    wire::store8(frame, ip + 1, 0);
    put16(frame, ip + 2, static_cast<unsigned>(frame.size() - ip));
    put16(frame, ip + 4, spec.identification);
    wire::store8(frame, ip + 8, 64);
    put16(frame, ip + 10, 0);
    put16(frame, ip + 10, reference_checksum(std::span(frame).subspan(ip, 20)));
  }
  wire::store32(frame, start + 4, spec.sequence);
  wire::store32(frame, start + 8, 0x0a0b0c0d);
  wire::store8(frame, start + 13, spec.flags);
  put16(frame, start + 14, 501);
  put16(frame, start + 18, 0);
  for (std::size_t at = start + 20; at < data; ++at)
    frame[at] = std::byte{1};  // options that do nothing
  const Bytes body = pattern(payload, spec.seed);
  std::copy(body.begin(), body.end(), frame.begin() + static_cast<std::ptrdiff_t>(data));
  put16(frame, start + 16, tcp_checksum(frame, spec.tcp));
  return frame;
}

}  // namespace capsa::net::gso::test
