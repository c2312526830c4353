#include <linux/virtio_blk.h>

#include <algorithm>
#include <array>
#include <backends/virtio/block/config_space.hpp>
#include <bit>
#include <cstring>
#include <limits>

namespace capsa::virtio::blk {
namespace {

constexpr std::uint64_t bit(unsigned number) {
  return 1ULL << number;
}

static_assert(offsetof(virtio_blk_config, unused1) + 3 == kConfigBytes);

}  // namespace

std::uint64_t disk_features(const block::StoreInfo& store, std::uint16_t queues) noexcept {
  // No SIZE_MAX: a store takes buffers of any size, and a limit would only split them.
  std::uint64_t features = bit(VIRTIO_BLK_F_SEG_MAX) | bit(VIRTIO_BLK_F_BLK_SIZE) |
                           bit(VIRTIO_BLK_F_FLUSH) | bit(VIRTIO_BLK_F_TOPOLOGY);
  if (queues > 1) features |= bit(VIRTIO_BLK_F_MQ);
  if (store.read_only) return features | bit(VIRTIO_BLK_F_RO);
  if (store.discard) features |= bit(VIRTIO_BLK_F_DISCARD);
  if (store.write_zeroes) features |= bit(VIRTIO_BLK_F_WRITE_ZEROES);
  return features;
}

void read_config_space(const block::StoreInfo& store, std::uint16_t queues,
                       std::uint16_t queue_size, std::size_t offset,
                       std::span<std::byte> out) noexcept {
  const std::uint32_t physical = std::max(store.physical_block_size, store.block_size);
  const std::uint32_t most = store.max_discard / block::kSectorSize;
  virtio_blk_config config{};
  config.capacity = store.size / block::kSectorSize;
  // One buffer each for header and status. Linux takes an indirect table for it; a driver without
  // them can fill the whole queue with one request.
  config.seg_max = queue_size > 2 ? queue_size - 2U : 1U;
  config.blk_size = store.block_size;
  config.physical_block_exp =
      static_cast<std::uint8_t>(std::countr_zero(physical) - std::countr_zero(store.block_size));
  config.min_io_size = static_cast<std::uint16_t>(std::min<std::uint32_t>(
      physical / store.block_size, std::numeric_limits<std::uint16_t>::max()));
  config.wce = 1;  // a write cache, as long as the driver knows FLUSH
  config.num_queues = queues;
  if (store.discard && !store.read_only) {
    config.max_discard_sectors = most;
    config.max_discard_seg = 1;
    config.discard_sector_alignment =
        std::max(store.discard_alignment, store.block_size) / block::kSectorSize;
  }
  if (store.write_zeroes && !store.read_only) {
    config.max_write_zeroes_sectors = most;
    config.max_write_zeroes_seg = 1;
    config.write_zeroes_may_unmap = store.discard ? 1 : 0;
  }
  std::array<std::byte, kConfigBytes> space;
  std::memcpy(space.data(), &config, space.size());
  std::fill(out.begin(), out.end(), std::byte{0});
  if (offset >= space.size()) return;
  std::copy_n(space.begin() + static_cast<std::ptrdiff_t>(offset),
              std::min(out.size(), space.size() - offset), out.begin());
}

}  // namespace capsa::virtio::blk
