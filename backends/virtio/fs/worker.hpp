#pragma once

#include <atomic>
#include <backends/virtio/fs/device.hpp>
#include <backends/virtio/fs/fuse_server.hpp>
#include <memory>
#include <mutex>
#include <vector>

namespace capsa::virtio::fs {

/// The half of the device that works on the executor: turns chains into requests and replies.
/// run() and reset() by one thread at a time, take_finished() and stats() by any.
class FsDevice::Worker {
 public:
  struct Finished {
    QueueIndex queue;
    std::uint16_t head;
    std::uint32_t written;
  };

  explicit Worker(std::unique_ptr<FuseServer> server) : server_(std::move(server)) {}

  /// Carries out the request of a chain and notes it as finished.
  void run(QueueIndex queue, const Chain& chain);
  void reset() { server_->reset(); }
  std::vector<Finished> take_finished();
  FsStats stats() const noexcept;

 private:
  std::uint32_t serve(const Chain& chain);

  std::unique_ptr<FuseServer> server_;
  std::vector<std::byte> request_;  // kept between requests
  std::mutex mutex_;
  std::vector<Finished> finished_;
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<std::uint64_t> read_bytes_{0};
  std::atomic<std::uint64_t> written_bytes_{0};
};

}  // namespace capsa::virtio::fs
