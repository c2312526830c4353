#pragma once

#include <cstdint>
#include <net/frame_batch.hpp>
#include <net/packet/packet.hpp>

namespace capsa::net::nat {

/// Cuts a whole IP packet that is larger than `mtu` bytes (RFC 791, 3.2; RFC 8200, 4.5) and puts
/// the fragments into `out`: datagrams of strangers, which the host's kernel has put together. At
/// most 120 of them. False where `pool` or `out` had no room for all; then what is there is of no
/// use to anybody, but harmless. `identification` tells packets apart.
bool fragment(const Frame& frame, const Packet& packet, std::uint16_t mtu,
              std::uint32_t identification, FramePool& pool, FrameBatch& out);

}  // namespace capsa::net::nat
