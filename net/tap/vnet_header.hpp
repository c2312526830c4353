#pragma once

#include <array>
#include <cstddef>
#include <net/frame_meta.hpp>
#include <optional>
#include <span>

// The header before each frame of a TAP with IFF_VNET_HDR: that of virtio-net without num_buffers
// (virtio 1.2, 5.1.6), little-endian as TUNSETVNETLE makes it. <linux/virtio_net.h> is not used: in
// some versions it is not C++.
namespace capsa::net {

inline constexpr std::size_t kVnetHeaderBytes = 10;

/// Nothing where it asks for what a TAP has not been told that we take. Whether it fits the frame
/// is left to check_offload().
std::optional<FrameMeta> decode_vnet_header(
    std::span<const std::byte, kVnetHeaderBytes> header) noexcept;

std::array<std::byte, kVnetHeaderBytes> encode_vnet_header(const FrameMeta& meta) noexcept;

}  // namespace capsa::net
