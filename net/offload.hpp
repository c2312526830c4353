#pragma once

#include <cstddef>
#include <net/frame_meta.hpp>
#include <span>

namespace capsa::net {

/// The smallest segment size that a frame may ask for: what is left of Linux' least MSS of 48 with
/// TCP options of 40 bytes. It bounds into how many segments one frame can be cut.
inline constexpr std::uint16_t kMinGsoSize = 8;

/// Whether metadata of a stranger fits the bytes it came with: the checksum lies in the frame and
/// behind the Ethernet header; a frame to be cut is one whole TCP segment with data, of the IP
/// version it claims, with its checksum where TCP has it and headers that lie in the frame. On
/// success of such a frame `header_length` is what we found: the stranger's is only a hint (virtio
/// 1.2, 5.1.6.2.2), and false where it lies outside the frame.
bool check_offload(std::span<const std::byte> frame, FrameMeta& meta) noexcept;

/// Does what `needs_checksum` asks for, and clears it. False, and nothing is done, where the
/// checksum lies outside the frame or the frame is to be cut: each segment has a checksum of its
/// own.
bool complete_checksum(std::span<std::byte> frame, FrameMeta& meta) noexcept;

}  // namespace capsa::net
