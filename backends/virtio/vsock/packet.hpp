#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

// The wire format of virtio-vsock (virtio 1.2, 5.10.6). Every packet is one 44-byte header, packed,
// little-endian, and for Op::ReadWrite a payload behind it:
//
//   0 src_cid u64    8 dst_cid u64   16 src_port u32  20 dst_port u32  24 len u32
//  28 type u16      30 op u16        32 flags u32     36 buf_alloc u32  40 fwd_cnt u32
//
// A stream is opened by Request/Response, refused or torn down by Reset, closed in halves by
// Shutdown. Each side says with every packet how large its receive buffer is (buf_alloc) and how
// many bytes have left it so far (fwd_cnt, which wraps); what the peer may have in flight follows.
namespace capsa::vsock {

/// The host's address (virtio 1.2, 5.10.4).
inline constexpr std::uint64_t kHostCid = 2;

/// virtio 1.2, 5.10.3: stream sockets are supported.
inline constexpr std::uint64_t kFeatureStream = 1ULL << 0;

inline constexpr std::size_t kHeaderSize = 44;

inline constexpr std::uint16_t kTypeStream = 1;

/// virtio 1.2, 5.10.6. From the guest it may hold any value of 16 bits.
enum class Op : std::uint16_t {
  Invalid = 0,
  Request = 1,
  Response = 2,
  Reset = 3,
  Shutdown = 4,
  ReadWrite = 5,
  CreditUpdate = 6,
  CreditRequest = 7,
};

/// Flags of Op::Shutdown: what its sender will not do any more (virtio 1.2, 5.10.6.6). Once set, a
/// flag stays set for the life of the connection.
inline constexpr std::uint32_t kShutdownReceive = 1;
inline constexpr std::uint32_t kShutdownSend = 2;
inline constexpr std::uint32_t kShutdownBoth = kShutdownReceive | kShutdownSend;

/// The only event there is (virtio 1.2, 5.10.6.7): established connections are gone.
inline constexpr std::uint32_t kEventTransportReset = 0;

struct Header {
  std::uint64_t src_cid = 0;
  std::uint64_t dst_cid = 0;
  std::uint32_t src_port = 0;
  std::uint32_t dst_port = 0;
  std::uint32_t len = 0;
  std::uint16_t type = kTypeStream;
  Op op = Op::Invalid;
  std::uint32_t flags = 0;
  std::uint32_t buf_alloc = 0;
  std::uint32_t fwd_cnt = 0;

  bool operator==(const Header&) const = default;
};

namespace detail {

template <class T>
constexpr void put(std::span<std::byte> out, T value) noexcept {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out[i] = static_cast<std::byte>(value >> (8 * i));
}

template <class T>
constexpr T get(std::span<const std::byte> in) noexcept {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value | static_cast<T>(std::to_integer<T>(in[i]) << (8 * i)));
  return value;
}

}  // namespace detail

constexpr std::array<std::byte, kHeaderSize> encode(const Header& header) noexcept {
  std::array<std::byte, kHeaderSize> bytes{};
  const std::span<std::byte> out(bytes);
  detail::put(out.subspan(0), header.src_cid);
  detail::put(out.subspan(8), header.dst_cid);
  detail::put(out.subspan(16), header.src_port);
  detail::put(out.subspan(20), header.dst_port);
  detail::put(out.subspan(24), header.len);
  detail::put(out.subspan(28), header.type);
  detail::put(out.subspan(30), static_cast<std::uint16_t>(header.op));
  detail::put(out.subspan(32), header.flags);
  detail::put(out.subspan(36), header.buf_alloc);
  detail::put(out.subspan(40), header.fwd_cnt);
  return bytes;
}

/// Decodes, judges nothing.
constexpr Header decode(std::span<const std::byte, kHeaderSize> in) noexcept {
  Header header;
  header.src_cid = detail::get<std::uint64_t>(in.subspan(0));
  header.dst_cid = detail::get<std::uint64_t>(in.subspan(8));
  header.src_port = detail::get<std::uint32_t>(in.subspan(16));
  header.dst_port = detail::get<std::uint32_t>(in.subspan(20));
  header.len = detail::get<std::uint32_t>(in.subspan(24));
  header.type = detail::get<std::uint16_t>(in.subspan(28));
  header.op = static_cast<Op>(detail::get<std::uint16_t>(in.subspan(30)));
  header.flags = detail::get<std::uint32_t>(in.subspan(32));
  header.buf_alloc = detail::get<std::uint32_t>(in.subspan(36));
  header.fwd_cnt = detail::get<std::uint32_t>(in.subspan(40));
  return header;
}

}  // namespace capsa::vsock
