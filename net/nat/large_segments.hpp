#pragma once

#include <cstdint>
#include <net/frame_batch.hpp>
#include <net/packet/packet.hpp>
#include <optional>

// How libslirp is made to work with large TCP segments while guests keep their MTU: the segments of
// guests are not cut, SYNs tell libslirp a large MSS, and what it then sends is a frame to be cut.
namespace capsa::net::nat {

/// What libslirp is told that guests take, and so how much it sends at once: half of its own
/// window, so that one segment is on the way while the next is read.
inline constexpr std::uint16_t kLargeMss = 32768;

/// The MSS option of a SYN; nothing where there is none.
std::optional<std::uint16_t> announced_mss(std::span<const std::byte> frame, const Packet& packet);

/// Completes the checksum of a frame of a guest, which libslirp checks; of one to be cut, too,
/// which then is a frame like any other. False where the metadata does not fit the frame.
bool complete(Frame& frame, const Packet& packet);

/// Has a TCP segment with a complete checksum cut into pieces of `mss` bytes by whoever cannot take
/// it whole. Smaller ones are vouched for.
void mark_for_cutting(Frame& frame, const Packet& packet, std::uint16_t mss);

}  // namespace capsa::net::nat
