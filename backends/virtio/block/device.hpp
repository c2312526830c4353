#pragma once

#include <backends/block/store.hpp>
#include <backends/virtio/block/request.hpp>
#include <backends/virtio/device.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace capsa::virtio::blk {

struct BlkConfig {
  /// At most 20 bytes without NUL; the guest finds the disk by it (/dev/disk/by-id/virtio-...).
  std::string serial;
  /// One per CPU of the guest saves it locks; all are served by one thread.
  std::uint16_t queues = 1;
  /// Of each queue; a power of two. 256 is what QEMU gives, and bounds what is in flight.
  std::uint16_t queue_size = 256;
};

/// What a disk has done since it was made.
struct BlkStats {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t flushes = 0;
  std::uint64_t discards = 0;  ///< and writes of zeroes
  std::uint64_t read_bytes = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t errors = 0;      ///< requests that a store failed
  std::uint64_t refused = 0;     ///< malformed, out of range or not offered
  std::uint64_t unanswered = 0;  ///< no room for a status

  friend bool operator==(const BlkStats&, const BlkStats&) = default;
};

/// A virtio block device (virtio 1.2, 5.2) on one store. Requests of all queues are in flight at
/// once and complete in any order; data moves between the store and guest memory without a stop
/// here. What the guest puts into its rings is hostile: it can spoil the bytes of its own disk and
/// nothing else.
///
/// Every chain that is taken becomes a request of the store, also what is refused or needs none:
/// so each process() takes no more than a queue holds, and a guest that makes chains available as
/// fast as they are answered waits for the loop as everybody does.
class BlkDevice final : public Device, private block::StoreClient {
 public:
  static constexpr std::uint16_t kMaxQueues = 64;

  /// InvalidConfig, where the message names the field.
  static result<std::unique_ptr<BlkDevice>> create(BlkConfig config,
                                                   std::unique_ptr<block::BlockStore> store);
  /// Reset it first. With requests in flight this waits for the store, which may block.
  ~BlkDevice() override;

  DeviceIdentity identity() const override;
  void read_config(std::size_t offset, std::span<std::byte> out) const override;
  void write_config(std::size_t offset, std::span<const std::byte> in) override;
  void activate(Activation activation) override;
  void process(QueueIndex queue) override;
  void reset(std::function<void()> done) override;

  /// To close it once the device is reset for good.
  block::BlockStore& store() noexcept { return *store_; }
  const BlkStats& stats() const noexcept { return stats_; }

 private:
  enum class State : std::uint8_t { Inactive, Active, Stopping };
  struct Lane {
    std::uint16_t in_flight = 0;  // at most the queue's size
    bool waiting = false;         // more may be available, but all is in flight
    bool answered = false;        // something was pushed since the last signal
  };

  BlkDevice(BlkConfig config, std::unique_ptr<block::BlockStore> store);

  void completed(block::Request& request, int error) override;
  void completions_end() override;
  void drain(QueueIndex index);
  GuestRequest& take_slot();
  void signal_answered();
  void count(const GuestRequest& request, int error);
  void at_rest();

  BlkConfig config_;
  std::unique_ptr<block::BlockStore> store_;
  DiskTraits traits_;
  State state_ = State::Inactive;
  Activation activation_;
  std::vector<Lane> lanes_;          // one per queue
  std::size_t in_flight_ = 0;        // of all queues
  std::deque<GuestRequest> slots_;   // never shrinks, never moves; at most what all queues hold
  std::vector<GuestRequest*> free_;  // those not in flight
  std::vector<std::function<void()>> stop_done_;
  BlkStats stats_;
};

}  // namespace capsa::virtio::blk
