#pragma once

#include <array>
#include <cstddef>
#include <net/frame_meta.hpp>
#include <optional>
#include <span>

// The header before each frame of virtio-net (virtio 1.2, 5.1.6) and of a TAP with IFF_VNET_HDR,
// little-endian as TUNSETVNETLE makes it:
//
//   0 flags u8    1 gso_type u8    2 hdr_len u16    4 gso_size u16
//   6 csum_start u16    8 csum_offset u16
//
// num_buffers, which may follow, is the device's. <linux/virtio_net.h> is not used: in some
// versions it is not C++.
namespace capsa::net {

inline constexpr std::size_t kVnetHeaderBytes = 10;

/// Nothing where it asks for what a FrameMeta cannot say. Whether it fits the frame is left to
/// check_offload(), and whether to believe `checksum_valid` to whoever knows the sender.
std::optional<FrameMeta> decode_vnet_header(
    std::span<const std::byte, kVnetHeaderBytes> header) noexcept;

std::array<std::byte, kVnetHeaderBytes> encode_vnet_header(const FrameMeta& meta) noexcept;

}  // namespace capsa::net
