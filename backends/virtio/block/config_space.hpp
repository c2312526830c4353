#pragma once

#include <backends/block/store.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

namespace capsa::virtio::blk {

/// Bytes of configuration space: up to what VIRTIO_BLK_F_WRITE_ZEROES needs (virtio 1.2, 5.2.4).
inline constexpr std::size_t kConfigBytes = 60;

/// The feature bits of a disk besides those of its queues.
std::uint64_t disk_features(const block::StoreInfo& store, std::uint16_t queues) noexcept;

/// Reads configuration space from `offset`; bytes beyond its end read as zero.
void read_config_space(const block::StoreInfo& store, std::uint16_t queues,
                       std::uint16_t queue_size, std::size_t offset,
                       std::span<std::byte> out) noexcept;

}  // namespace capsa::virtio::blk
