#pragma once

#include <cstdint>
#include <net/frame_batch.hpp>

namespace capsa::net::gso {

/// Lowers the maximum segment size that a SYN announces (RFC 9293, 3.7.1) to at most `mss` bytes of
/// TCP payload, and keeps its checksum right. True where something was changed; what is no SYN, or
/// has no such option, stays as it is.
bool clamp_mss(Frame& frame, std::uint16_t mss) noexcept;

/// The same, but `mss` is written where it is more, too. For a peer that is not behind a wire: a
/// NAT on sockets may send in pieces of this size, as long as the guest takes frames to be cut.
bool set_mss(Frame& frame, std::uint16_t mss) noexcept;

}  // namespace capsa::net::gso
