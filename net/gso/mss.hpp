#pragma once

#include <cstdint>
#include <net/frame_batch.hpp>

namespace capsa::net::gso {

/// Sets the maximum segment size that a SYN announces (RFC 9293, 3.7.1) to `mss` bytes of TCP
/// payload, and keeps its checksum right. True where something was changed; what is no SYN, or has
/// no such option, stays as it is. More than the wire holds is for a peer that is not behind one: a
/// NAT on sockets may send in pieces of this size, as long as the guest takes frames to be cut.
bool set_mss(Frame& frame, std::uint16_t mss) noexcept;

}  // namespace capsa::net::gso
