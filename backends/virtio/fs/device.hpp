#pragma once

#include <backends/virtio/device.hpp>
#include <backends/virtio/fs/config.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <memory>
#include <vector>

namespace capsa::virtio::fs {

/// What a share has done since it was made.
struct FsStats {
  std::uint64_t requests = 0;       ///< taken from the guest, malformed ones included
  std::uint64_t errors = 0;         ///< answered with an errno, or not answerable
  std::uint64_t read_bytes = 0;     ///< put into guest memory, headers included
  std::uint64_t written_bytes = 0;  ///< taken from guest memory, headers included

  friend bool operator==(const FsStats&, const FsStats&) = default;
};

/// A virtio file system device (virtio 1.2, 5.11): a host directory that the guest mounts by tag.
/// Queue 0 is the one for requests that must not wait (FORGET), queue 1 the only request queue. All
/// requests of both run one after the other on the executor, where they may block.
class FsDevice final : public Device {
 public:
  static constexpr QueueIndex kHighPriorityQueue = 0;
  static constexpr QueueIndex kRequestQueue = 1;

  /// Opens the directory. InvalidConfig, NotFound, PermissionDenied or UnsupportedFeature; the
  /// message names the field or directory.
  static result<std::unique_ptr<FsDevice>> create(ShareConfig config,
                                                  std::shared_ptr<Executor> executor);
  ~FsDevice() override;

  DeviceIdentity identity() const override;
  void read_config(std::size_t offset, std::span<std::byte> out) const override;
  void write_config(std::size_t offset, std::span<const std::byte> in) override;
  void activate(Activation activation) override;
  void process(QueueIndex queue) override;
  void suspend(std::function<void()> done) override;
  void reset(std::function<void()> done) override;

  const ShareConfig& config() const noexcept { return config_; }
  /// From any thread.
  FsStats stats() const noexcept;

 private:
  class Worker;
  enum class State : std::uint8_t { Inactive, Active, Stopping };

  FsDevice(ShareConfig config, std::shared_ptr<Executor> executor, std::shared_ptr<Worker> worker);

  void drain(QueueIndex index);
  void submit(QueueIndex index, Chain chain);
  void complete();
  void stop(bool forget, std::function<void()> done);
  void finish_stop();
  void at_rest();

  ShareConfig config_;
  std::shared_ptr<Executor> executor_;
  // Shared with the work that is on the executor, which may outlive this.
  std::shared_ptr<Worker> worker_;
  // Expires with this: what the executor calls back afterwards finds nobody.
  std::shared_ptr<FsDevice*> self_;
  State state_ = State::Inactive;
  Activation activation_;
  std::vector<std::uint16_t> in_flight_;  // per queue; at most the queue's size
  std::vector<bool> waiting_;             // per queue: more may be available, but all is in flight
  bool has_driver_ = false;               // activated since the last reset
  bool forget_ = false;                   // while Stopping: the session goes too
  std::vector<std::function<void()>> stop_done_;
};

}  // namespace capsa::virtio::fs
