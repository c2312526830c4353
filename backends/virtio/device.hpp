#pragma once

#include <backends/virtio/queue.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace capsa::virtio {

using QueueIndex = std::uint16_t;

/// What a device is before any driver has spoken to it.
struct DeviceIdentity {
  std::uint32_t type = 0;                  ///< virtio 1.2, 5 "Device Types"
  std::string_view name;                   ///< for logs: "vsock", "fs"
  std::uint64_t features = 0;              ///< offered device and queue features
  std::vector<std::uint16_t> queue_sizes;  ///< the largest size of each queue, in order
  /// How many of the first queues must be set up before the device can run. The rest may be
  /// absent: over vhost-user QEMU keeps vsock's event queue to itself.
  std::uint16_t required_queues = 0;
  /// Bytes of configuration space that read_config() can give; the transport may show them to the
  /// driver from a copy of its own, renewed at Interrupt::config_changed().
  std::size_t config_size = 0;
};

/// How a device interrupts its driver. Called on the device's own thread; cheap; never blocks.
class Interrupt {
 public:
  virtual ~Interrupt() = default;
  virtual void signal(QueueIndex queue) = 0;
  /// Tells that configuration space has changed (virtio 1.2, 2.3). Ignored by transports that
  /// cannot pass it on, so no device may depend on it for more than news.
  virtual void config_changed() {}
};

/// What the transport hands over when the driver is ready. `queues` and `interrupt` stay the
/// transport's and outlive the activation, which ends when suspend() or reset() has called its
/// `done`.
struct Activation {
  std::shared_ptr<const memory::GuestMemory> memory;
  std::span<Queue> queues;
  std::uint64_t features = 0;  ///< agreed: a subset of what was offered
  Interrupt* interrupt = nullptr;
};

/// A device as the guest sees it. It knows no loop, no transport and no actor. All calls come from
/// one thread, and none of them blocks. Between suspend() or reset() and its `done` neither of them
/// nor activate() is called.
class Device {
 public:
  virtual ~Device() = default;

  virtual DeviceIdentity identity() const = 0;
  /// Reads configuration space; bytes beyond its end read as zero.
  virtual void read_config(std::size_t offset, std::span<std::byte> out) const = 0;
  /// Writes configuration space; ignored where nothing there is writable.
  virtual void write_config(std::size_t offset, std::span<const std::byte> in) = 0;
  /// Only on an inactive device. What the driver made available before has no kick any more: the
  /// transport calls process() once for each queue afterwards.
  virtual void activate(Activation activation) = 0;
  /// Drains what is available in a queue and signals once. Ignored while inactive and for queues
  /// that the device does not have: a guest may kick anything at any time.
  virtual void process(QueueIndex queue) = 0;
  /// Back to inactive, and remembers all that the driver has at the device (sessions, connections,
  /// open files): the same driver goes on with the next activation, as after a pause of its
  /// machine. In-flight work is answered first; `done` is called, on the same thread, once nothing
  /// touches the queues any more (possibly before suspend() returns). As it is here it is for
  /// devices that know nothing but their queues.
  virtual void suspend(std::function<void()> done) { reset(std::move(done)); }
  /// Back to inactive in the same way, and forgets the driver: another one comes, or none. Also
  /// for a suspended device.
  virtual void reset(std::function<void()> done) = 0;
};

/// Runs work that may block (file systems) away from the device's thread.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs `work` elsewhere, then `done` on the device's thread. Work submitted to one executor
  /// runs one piece after the other, in order.
  virtual void submit(std::function<void()> work, std::function<void()> done) = 0;
};

}  // namespace capsa::virtio
