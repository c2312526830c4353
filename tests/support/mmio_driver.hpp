#pragma once

#include <backends/virtio/mmio/transport.hpp>
#include <tests/support/fake_driver.hpp>

namespace capsa::test {

/// The driver's side of a transport's registers: what Linux's virtio_mmio does, step by step, on
/// rings of a FakeDriver. To be called where a vCPU is: most writes of the status wait for the
/// loop. It behaves unless write() is used.
class MmioDriver {
 public:
  using Register = virtio::mmio::Register;

  explicit MmioDriver(virtio::mmio::Transport& transport) : transport_(transport) {}

  std::uint32_t read(Register which) const;
  void write(Register which, std::uint32_t value) const;
  std::uint32_t status() const { return read(Register::Status); }
  /// Sets bits of the status, and leaves the others as they are.
  void add_status(std::uint32_t bits) const { write(Register::Status, status() | bits); }

  // -- virtio 1.2, 3.1.1, one step after the other
  /// Steps 1 to 3: reset, ACKNOWLEDGE, DRIVER.
  void hello() const;
  /// Step 4: what the device offers.
  std::uint64_t offered() const;
  /// Steps 4 to 6: agrees to these. Whether the device does.
  bool agree(std::uint64_t features) const;
  /// Step 7, for one queue.
  void set_queue(virtio::QueueIndex queue, const FakeDriver::Ring& ring) const;
  /// Step 8. Whether the device runs now.
  bool go() const;
  /// All of it, with queues as many as the device has on the rings of `guest` from `first` on.
  bool start(const FakeDriver& guest, virtio::QueueIndex first = 0) const;

  void kick(virtio::QueueIndex queue) const { write(Register::QueueNotify, queue); }
  /// Reads and acknowledges why the interrupt came.
  std::uint32_t take_interrupt() const;

 private:
  virtio::mmio::Transport& transport_;
};

}  // namespace capsa::test
