#pragma once

#include <backends/virtio/device.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace capsa::test {

using Bytes = std::vector<std::byte>;

/// Text and bytes, for tests that put one into the other.
Bytes to_bytes(std::string_view text);
std::string_view to_text(std::span<const std::byte> bytes);

/// Counts what a device signalled.
class RecordingInterrupt final : public virtio::Interrupt {
 public:
  void signal(virtio::QueueIndex queue) override { ++counts_[queue]; }
  /// How often `queue` was signalled since the last take().
  std::size_t count(virtio::QueueIndex queue) const;
  /// The same, and starts counting anew.
  std::size_t take(virtio::QueueIndex queue);

 private:
  std::map<virtio::QueueIndex, std::size_t> counts_;
};

/// First-fit allocator over a range of guest memory.
class GuestAllocator {
 public:
  GuestAllocator(memory::GuestAddress start, std::uint64_t size) { free_[start] = size; }
  /// Throws std::bad_alloc where nothing is left. `alignment` is a power of two.
  memory::GuestAddress allocate(std::uint64_t size, std::uint64_t alignment = 16);
  void release(memory::GuestAddress address);

 private:
  std::map<memory::GuestAddress, std::uint64_t> free_;
  std::map<memory::GuestAddress, std::uint64_t> taken_;
};

/// One descriptor as it lies in guest memory (virtio 1.2, 2.7.5).
struct RawDescriptor {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
  std::uint16_t flags = 0;
  std::uint16_t next = 0;
};
inline constexpr std::uint16_t kRawNext = 1;
inline constexpr std::uint16_t kRawWrite = 2;
inline constexpr std::uint16_t kRawIndirect = 4;

struct FakeDriverOptions {
  std::uint64_t memory_mib = 16;
  bool event_idx = true;  ///< negotiate VIRTIO_F_EVENT_IDX
  bool indirect = false;  ///< negotiate indirect descriptors, and put every chain into a table
  memory::GuestAddress guest_address = 0x10'0000;
  std::uint64_t user_address = 0x7f00'0000'0000;  ///< as a hypervisor process would map it
};

/// The driver's side of split virtqueues in a guest memory of its own, for tests, benchmarks and
/// fuzzers. It behaves unless the raw_ functions are used. What a test does wrong itself is thrown
/// (std::logic_error, std::bad_alloc).
class FakeDriver {
 public:
  /// A chain that the device gave back.
  struct Used {
    std::uint16_t head = 0;
    std::uint32_t written = 0;  ///< as the device reports it
    Bytes data;                 ///< the first `written` bytes of the writable part
  };
  /// Where the rings of a queue lie.
  struct Ring {
    std::uint16_t size = 0;
    memory::GuestAddress descriptors = 0;
    memory::GuestAddress available = 0;
    memory::GuestAddress used = 0;
  };

  explicit FakeDriver(std::vector<std::uint16_t> queue_sizes, FakeDriverOptions options = {});
  /// Queues as many and as large as the device offers.
  template <std::same_as<virtio::DeviceIdentity> Identity>
  explicit FakeDriver(const Identity& identity, FakeDriverOptions options = {})
      : FakeDriver(identity.queue_sizes, options) {}
  FakeDriver(const FakeDriver&) = delete;
  FakeDriver& operator=(const FakeDriver&) = delete;

  // -- the driver's work
  /// Writes a chain and puts it into the available ring, not yet visible. Gives its head, which
  /// stays taken until pop_used() returned it. An empty piece is a descriptor of length 0.
  std::uint16_t add(virtio::QueueIndex queue, const std::vector<Bytes>& readable,
                    const std::vector<std::size_t>& writable);
  /// Makes everything added visible. True where the device wants a kick for it.
  bool publish(virtio::QueueIndex queue);
  /// add() and publish().
  std::uint16_t send(virtio::QueueIndex queue, const std::vector<Bytes>& readable,
                     const std::vector<std::size_t>& writable = {});
  /// send() and device.process(queue).
  std::uint16_t send_to(virtio::Device& device, virtio::QueueIndex queue,
                        const std::vector<Bytes>& readable,
                        const std::vector<std::size_t>& writable = {});
  /// The next chain given back, and asks for an interrupt for the one after it.
  std::optional<Used> pop_used(virtio::QueueIndex queue);
  /// As the device counts them: chains given back and not yet popped.
  std::uint16_t used_pending(virtio::QueueIndex queue) const;
  /// Asks for no interrupts, or for them again.
  void want_interrupts(virtio::QueueIndex queue, bool wanted);
  /// How many descriptors are free.
  std::size_t free_descriptors(virtio::QueueIndex queue) const;

  // -- the device's side
  /// The agreed feature bits that concern queues: VERSION_1 and what the options say.
  std::uint64_t queue_features() const;
  /// Where the queue lies and what was agreed, for virtio::Queue::create().
  virtio::QueueConfig queue_config(virtio::QueueIndex queue) const;
  /// Fresh device-side queues that go on where the earlier ones stopped, and an activation with
  /// them. Replaces those of an earlier activation: suspend or reset the device first. `count`
  /// first queues only, or all.
  virtio::Activation activation(std::uint64_t device_features = 0,
                                std::optional<std::size_t> count = std::nullopt);
  /// device.activate(activation(...)).
  void activate(virtio::Device& device, std::uint64_t device_features = 0,
                std::optional<std::size_t> count = std::nullopt);
  /// The device-side queue of the last activation().
  virtio::Queue& queue(virtio::QueueIndex index) { return device_queues_.at(index); }
  RecordingInterrupt& interrupt() { return interrupt_; }

  // -- memory and raw access, for malformed rings and for transports
  const std::shared_ptr<const memory::GuestMemory>& memory() const { return memory_; }
  int memory_fd() const { return fd_.get(); }
  const FakeDriverOptions& options() const { return options_; }
  GuestAllocator& allocator() { return allocator_; }
  const Ring& ring(virtio::QueueIndex queue) const { return driver_queues_.at(queue).ring; }
  std::uint64_t user_address(memory::GuestAddress address) const {
    return address - options_.guest_address + options_.user_address;
  }
  void raw_descriptor(virtio::QueueIndex queue, std::uint16_t index, RawDescriptor descriptor);
  RawDescriptor raw_descriptor(virtio::QueueIndex queue, std::uint16_t index) const;
  /// Puts any head into the available ring, not yet visible. Once given back, pop_used() gives it
  /// without data.
  void raw_add(virtio::QueueIndex queue, std::uint16_t head);
  /// Sets avail.idx as it is.
  void raw_available_index(virtio::QueueIndex queue, std::uint16_t value);
  std::uint16_t raw_used_index(virtio::QueueIndex queue) const;

 private:
  struct Outstanding {
    std::vector<std::uint16_t> descriptors;
    std::vector<memory::GuestAddress> allocations;
    std::vector<std::pair<memory::GuestAddress, std::size_t>> writable;
  };
  struct DriverQueue {
    Ring ring;
    std::vector<std::uint16_t> free;
    std::map<std::uint16_t, Outstanding> outstanding;
    std::uint16_t added = 0;
    std::uint16_t published = 0;
    std::uint16_t used_seen = 0;
    bool want_interrupts = true;
  };

  DriverQueue& at(virtio::QueueIndex queue) { return driver_queues_.at(queue); }
  void write_table(DriverQueue& queue, const std::vector<RawDescriptor>& chain, Outstanding& out);

  FakeDriverOptions options_;
  UniqueFd fd_;
  std::shared_ptr<const memory::GuestMemory> memory_;
  GuestAllocator allocator_;
  std::vector<DriverQueue> driver_queues_;
  std::vector<virtio::Queue> device_queues_;
  RecordingInterrupt interrupt_;
};

}  // namespace capsa::test
