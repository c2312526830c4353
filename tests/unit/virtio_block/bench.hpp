#pragma once

#include <linux/virtio_blk.h>

#include <backends/block/memory_store.hpp>
#include <backends/virtio/block/device.hpp>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <tests/support/fake_driver.hpp>

namespace capsa::virtio::blk::test {

using capsa::test::Bytes;

inline constexpr std::uint64_t kAllFeatures =
    1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;

inline block::StoreInfo small_disk() {
  block::StoreInfo info;
  info.size = 64 * block::kSectorSize;
  info.discard = true;
  info.write_zeroes = true;
  info.max_discard = 32 * block::kSectorSize;
  return info;
}

inline Bytes header(std::uint32_t type, std::uint64_t sector = 0) {
  const virtio_blk_outhdr raw{type, 0, sector};
  const auto bytes = std::as_bytes(std::span(&raw, 1));
  return {bytes.begin(), bytes.end()};
}

inline Bytes range(std::uint64_t sector, std::uint32_t sectors, std::uint32_t flags = 0) {
  const virtio_blk_discard_write_zeroes raw{sector, sectors, flags};
  const auto bytes = std::as_bytes(std::span(&raw, 1));
  return {bytes.begin(), bytes.end()};
}

/// `count` sectors that differ from each other and by `salt`.
inline Bytes pattern(std::size_t count, unsigned salt) {
  Bytes bytes(count * block::kSectorSize);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(i / block::kSectorSize * 31 + i * 7 + salt);
  return bytes;
}

/// An answered request.
struct Answer {
  std::uint16_t head = 0;
  std::uint32_t written = 0;
  int status = -1;  ///< the last writable byte; -1 where there is none, 0xaa where untouched
  Bytes data;       ///< the first `written` bytes of the writable part
};

/// A device on a store in memory, driven through its queues.
struct BlkBench {
  explicit BlkBench(block::StoreInfo info = small_disk(), BlkConfig config = {.serial = "disk-1"},
                    capsa::test::FakeDriverOptions options = {},
                    std::uint64_t features = kAllFeatures) {
    auto owned = std::make_unique<block::MemoryStore>(info);
    store = owned.get();
    device = BlkDevice::create(config, std::move(owned)).value();
    driver = std::make_unique<capsa::test::FakeDriver>(device->identity(), options);
    driver->activate(*device, features);
  }

  /// Makes a request available; no kick.
  std::uint16_t add(const std::vector<Bytes>& readable, const std::vector<std::size_t>& writable,
                    QueueIndex queue = 0) {
    const auto head = driver->add(queue, readable, writable);
    statuses[{queue, head}] = last_writable_byte(queue, head);
    if (const auto at = statuses[{queue, head}]; at != 0)
      driver->memory()->store(at, std::byte{0xaa});
    driver->publish(queue);
    return head;
  }
  /// Sends one, and takes it.
  std::uint16_t send(const std::vector<Bytes>& readable, const std::vector<std::size_t>& writable,
                     QueueIndex queue = 0) {
    const auto head = add(readable, writable, queue);
    device->process(queue);
    return head;
  }
  std::optional<Answer> next(QueueIndex queue = 0) {
    const auto used = driver->pop_used(queue);
    if (!used) return std::nullopt;
    Answer answer{used->head, used->written, -1, used->data};
    const auto at = statuses.at({queue, used->head});
    if (at != 0)
      answer.status = std::to_integer<int>(driver->memory()->load<std::byte>(at).value());
    return answer;
  }
  /// Sends one request, completes all that is in flight, and gives the answer.
  Answer ask(const std::vector<Bytes>& readable, const std::vector<std::size_t>& writable) {
    send(readable, writable);
    store->finish_all();
    return next().value();
  }
  int status_of(const std::vector<Bytes>& readable, const std::vector<std::size_t>& writable) {
    return ask(readable, writable).status;
  }

  memory::GuestAddress last_writable_byte(QueueIndex queue, std::uint16_t head) const {
    auto table = driver->ring(queue).descriptors;
    std::uint16_t index = head;
    memory::GuestAddress last = 0;
    while (true) {
      const auto one =
          driver->memory()->load<capsa::test::RawDescriptor>(table + 16ULL * index).value();
      if ((one.flags & capsa::test::kRawIndirect) != 0) {
        table = one.address;
        index = 0;
        continue;
      }
      if ((one.flags & capsa::test::kRawWrite) != 0 && one.length != 0)
        last = one.address + one.length - 1;
      if ((one.flags & capsa::test::kRawNext) == 0) return last;
      index = one.next;
    }
  }

  block::MemoryStore* store = nullptr;
  std::unique_ptr<BlkDevice> device;
  std::unique_ptr<capsa::test::FakeDriver> driver;
  std::map<std::pair<QueueIndex, std::uint16_t>, memory::GuestAddress> statuses;
};

}  // namespace capsa::virtio::blk::test
