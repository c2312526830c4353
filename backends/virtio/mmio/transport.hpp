#pragma once

#include <array>
#include <atomic>
#include <backends/virtio/device.hpp>
#include <backends/virtio/link.hpp>
#include <backends/virtio/mmio/registers.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace capsa::virtio::mmio {

/// A virtio device's registers in a machine of our own (virtio 1.2, 4.2), between two kinds of
/// threads: vCPUs read and write registers, the loop drives the device. What a register write makes
/// the device do (activate, reset, take configuration) is done on the loop while the vCPU waits, so
/// that a reset has happened when the guest reads the status. Configuration space is read from a
/// copy under a small lock of its own.
///
/// Kicks arrive at eventfds, which the machine has the hypervisor write to; interrupts leave by
/// one. A guest may write any register at any time: what is out of order is ignored, as the
/// specification allows, and a queue that makes no sense leaves the device unstarted with
/// DEVICE_NEEDS_RESET.
class Transport final : public DeviceLink,
                        public std::enable_shared_from_this<Transport>,
                        private Interrupt {
 public:
  /// `loop` outlives the transport; `device` lives until close() has called its `done`. On the
  /// loop.
  static std::shared_ptr<Transport> create(Loop& loop, Device& device);
  ~Transport() override;

  /// Whether it can be used; ResourceExhausted where there were no descriptors to be had.
  const result<void>& usable() const noexcept { return usable_; }

  // -- the machine, before its vCPUs run
  void set_memory(std::shared_ptr<const memory::GuestMemory> memory);
  std::size_t queues() const noexcept { return identity_.queue_sizes.size(); }
  std::string_view name() const noexcept { return identity_.name; }
  /// To be written when the guest writes a queue's index to QueueNotify.
  int kick_fd(QueueIndex queue) const { return kicks_.at(queue).get(); }
  /// Is written when the guest is to be interrupted (an edge).
  int interrupt_fd() const noexcept { return interrupt_.get(); }

  // -- vCPUs, from any thread; may wait for the loop
  void read(std::uint64_t offset, std::span<std::byte> out);
  void write(std::uint64_t offset, std::span<const std::byte> in);

  /// Nobody waits for the loop any more; from any thread. For a machine whose vCPUs are to end.
  void abandon();

  // -- DeviceLink, on the loop
  void close(std::function<void()> done) override;

 private:
  struct QueueSetup {
    std::uint32_t size = 0;
    bool ready = false;
    memory::GuestAddress descriptors = 0;
    memory::GuestAddress available = 0;
    memory::GuestAddress used = 0;
  };
  /// What an active device uses; kept by whoever waits for it to come to rest.
  struct Running {
    std::vector<Queue> queues;
  };
  /// Something that a vCPU waits for.
  struct Errand;

  Transport(Loop& loop, Device& device);

  // -- registers; with registers_mutex_ held
  std::uint32_t read_register(Register which);
  void write_register(Register which, std::uint32_t value);
  void write_status(std::uint32_t value);
  void reset_registers();
  QueueSetup* selected();
  bool in_setup() const;
  QueueSetup* changeable();
  void read_config(std::size_t offset, std::span<std::byte> out);
  void write_config(std::size_t offset, std::span<const std::byte> in);

  // -- the loop
  bool on_loop(std::function<void(std::function<void()> done)> work);
  result<void> activate(const std::vector<QueueSetup>& setups, std::uint64_t features);
  void reset_device(std::function<void()> done);
  void renew_config();

  // -- Interrupt
  void signal(QueueIndex queue) override;
  void config_changed() override;
  void raise(std::uint32_t why);

  Loop& loop_;
  const DeviceIdentity identity_;
  result<void> usable_;
  std::vector<UniqueFd> kicks_;
  UniqueFd interrupt_;
  std::atomic<std::uint32_t> interrupt_status_{0};

  std::mutex registers_mutex_;  // guards what follows; held while a vCPU waits for the loop
  std::uint32_t status_ = 0;
  std::uint32_t device_features_select_ = 0;
  std::uint32_t driver_features_select_ = 0;
  std::uint64_t driver_features_ = 0;
  std::uint32_t queue_select_ = 0;
  std::vector<QueueSetup> setups_;

  std::mutex config_mutex_;  // guards what follows
  std::vector<std::byte> config_;
  std::uint32_t generation_ = 0;

  std::mutex waiting_mutex_;  // guards what follows, and every Errand
  std::condition_variable waiting_;
  bool abandoned_ = false;

  // The rest is the loop's.
  Device* device_;
  std::shared_ptr<const memory::GuestMemory> memory_;
  std::shared_ptr<Running> running_;
  bool has_driver_ = false;
  bool resting_ = false;  // the device was told to reset, and has not yet
  std::vector<std::function<void()>> on_rest_;
};

/// Where a transport will be: filled by whoever has the device, before the machine starts.
struct Slot {
  std::shared_ptr<Transport> transport;
};

}  // namespace capsa::virtio::mmio
