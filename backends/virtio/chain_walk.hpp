#pragma once

#include <backends/virtio/queue.hpp>
#include <optional>
#include <span>
#include <string_view>

namespace capsa::virtio {

/// Follows the chain at `head` of a descriptor table (virtio 1.2, 2.7.5), indirect tables included.
/// Everything read is the guest's; each descriptor is copied once and judged in the copy. Nothing
/// where the chain breaks a rule, which `why` then names (a literal).
std::optional<Chain> walk_chain(const memory::GuestMemory& memory,
                                std::span<const std::byte> descriptors, std::uint16_t head,
                                bool indirect_agreed, std::string_view& why);

}  // namespace capsa::virtio
