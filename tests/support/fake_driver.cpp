#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <stdexcept>
#include <tests/support/fake_driver.hpp>
#include <tests/support/guest_file.hpp>

namespace capsa::test {
namespace {

// Byte offsets in the rings (virtio 1.2, 2.7.6 and 2.7.8).
constexpr std::uint64_t kFlags = 0;
constexpr std::uint64_t kIndex = 2;
constexpr std::uint64_t kRing = 4;

/// A word of a ring, shared with a device that may run on another thread.
std::atomic_ref<std::uint16_t> word(const memory::GuestMemory& memory,
                                    memory::GuestAddress address) {
  return std::atomic_ref<std::uint16_t>(
      *reinterpret_cast<std::uint16_t*>(memory.slice(address, 2).value().data()));
}

}  // namespace

Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string_view to_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::size_t RecordingInterrupt::count(virtio::QueueIndex queue) const {
  const auto found = counts_.find(queue);
  return found == counts_.end() ? 0 : found->second;
}

std::size_t RecordingInterrupt::take(virtio::QueueIndex queue) {
  return std::exchange(counts_[queue], 0);
}

memory::GuestAddress GuestAllocator::allocate(std::uint64_t size, std::uint64_t alignment) {
  size = std::max<std::uint64_t>(size, 1);
  for (auto [start, length] : free_) {
    const std::uint64_t address = (start + alignment - 1) & ~(alignment - 1);
    const std::uint64_t lead = address - start;
    if (length < lead || length - lead < size) continue;
    free_.erase(start);
    if (lead != 0) free_[start] = lead;
    if (length - lead != size) free_[address + size] = length - lead - size;
    taken_[address] = size;
    return address;
  }
  throw std::bad_alloc();
}

void GuestAllocator::release(memory::GuestAddress address) {
  const auto taken = taken_.find(address);
  if (taken == taken_.end()) throw std::logic_error("release of memory that is not taken");
  auto here = free_.emplace(address, taken->second).first;
  taken_.erase(taken);
  if (auto next = std::next(here);
      next != free_.end() && here->first + here->second == next->first) {
    here->second += next->second;
    free_.erase(next);
  }
  if (here == free_.begin()) return;
  if (auto before = std::prev(here); before->first + before->second == here->first) {
    before->second += here->second;
    free_.erase(here);
  }
}

FakeDriver::FakeDriver(std::vector<std::uint16_t> queue_sizes, FakeDriverOptions options)
    : options_(options),
      fd_(make_guest_file(options.memory_mib << 20)),
      allocator_(options.guest_address, options.memory_mib << 20) {
  const memory::RegionSpec region{options.guest_address, options.memory_mib << 20,
                                  options.user_address, 0, fd_.get()};
  memory_ = memory::GuestMemory::map(std::span(&region, 1)).value();
  for (const auto size : queue_sizes) {
    DriverQueue queue;
    queue.ring.size = size;
    queue.ring.descriptors = allocator_.allocate(16ULL * size, 16);
    queue.ring.available = allocator_.allocate(6 + 2ULL * size, 2);
    queue.ring.used = allocator_.allocate(6 + 8ULL * size, 4);
    for (std::uint16_t i = size; i != 0; --i)
      queue.free.push_back(i - 1);
    driver_queues_.push_back(std::move(queue));
  }
}

void FakeDriver::write_table(DriverQueue& queue, const std::vector<RawDescriptor>& chain,
                             Outstanding& out) {
  const std::size_t slots = options_.indirect ? 1 : chain.size();
  if (chain.empty()) throw std::logic_error("a chain of no descriptors");
  if (queue.free.size() < slots) throw std::logic_error("no free descriptors");
  for (std::size_t i = 0; i < slots; ++i) {
    out.descriptors.push_back(queue.free.back());
    queue.free.pop_back();
  }
  auto linked = chain;
  for (std::size_t i = 0; i + 1 < linked.size(); ++i) {
    linked[i].flags |= kRawNext;
    linked[i].next = options_.indirect ? static_cast<std::uint16_t>(i + 1) : out.descriptors[i + 1];
  }
  if (options_.indirect) {
    const auto table = std::as_bytes(std::span(linked));
    const auto address = allocator_.allocate(table.size());
    memory_->write(address, table);
    out.allocations.push_back(address);
    linked = {{address, static_cast<std::uint32_t>(table.size()), kRawIndirect, 0}};
  }
  for (std::size_t i = 0; i < slots; ++i) {
    memory_->store(queue.ring.descriptors + 16ULL * out.descriptors[i], linked[i]);
  }
}

std::uint16_t FakeDriver::add(virtio::QueueIndex queue, const std::vector<Bytes>& readable,
                              const std::vector<std::size_t>& writable) {
  DriverQueue& ring = at(queue);
  Outstanding out;
  std::vector<RawDescriptor> chain;
  for (const auto& piece : readable) {
    const auto address = allocator_.allocate(piece.size());
    memory_->write(address, piece);
    out.allocations.push_back(address);
    chain.push_back({address, static_cast<std::uint32_t>(piece.size()), 0, 0});
  }
  for (const auto size : writable) {
    const auto address = allocator_.allocate(size);
    out.allocations.push_back(address);
    out.writable.emplace_back(address, size);
    chain.push_back({address, static_cast<std::uint32_t>(size), kRawWrite, 0});
  }
  write_table(ring, chain, out);
  const std::uint16_t head = out.descriptors.front();
  ring.outstanding[head] = std::move(out);
  raw_add(queue, head);
  return head;
}

bool FakeDriver::publish(virtio::QueueIndex queue) {
  DriverQueue& ring = at(queue);
  const auto fresh = static_cast<std::uint16_t>(ring.added - ring.published);
  word(*memory_, ring.ring.available + kIndex).store(ring.added, std::memory_order_release);
  ring.published = ring.added;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!options_.event_idx) return word(*memory_, ring.ring.used + kFlags).load() == 0;
  const std::uint16_t event = word(*memory_, ring.ring.used + kRing + 8ULL * ring.ring.size).load();
  return static_cast<std::uint16_t>(ring.added - event - 1) < fresh;
}

std::uint16_t FakeDriver::send(virtio::QueueIndex queue, const std::vector<Bytes>& readable,
                               const std::vector<std::size_t>& writable) {
  const auto head = add(queue, readable, writable);
  publish(queue);
  return head;
}

std::uint16_t FakeDriver::send_to(virtio::Device& device, virtio::QueueIndex queue,
                                  const std::vector<Bytes>& readable,
                                  const std::vector<std::size_t>& writable) {
  const auto head = send(queue, readable, writable);
  device.process(queue);
  return head;
}

std::optional<FakeDriver::Used> FakeDriver::pop_used(virtio::QueueIndex queue) {
  DriverQueue& ring = at(queue);
  const std::uint16_t index =
      word(*memory_, ring.ring.used + kIndex).load(std::memory_order_acquire);
  if (index == ring.used_seen) return std::nullopt;
  struct Element {
    std::uint32_t head, written;
  };
  const auto element =
      memory_->load<Element>(ring.ring.used + kRing + 8ULL * (ring.used_seen % ring.ring.size))
          .value();
  ++ring.used_seen;
  want_interrupts(queue, ring.want_interrupts);
  auto found = ring.outstanding.find(static_cast<std::uint16_t>(element.head));
  if (element.head > 0xffff || found == ring.outstanding.end()) {
    throw std::logic_error("the device gave back a head that it did not have");
  }
  Used used{found->first, element.written, {}};
  for (const auto& [address, size] : found->second.writable) {
    const std::size_t part = std::min<std::size_t>(size, element.written - used.data.size());
    const auto bytes = memory_->slice(address, part).value();
    used.data.insert(used.data.end(), bytes.begin(), bytes.end());
  }
  for (const auto address : found->second.allocations)
    allocator_.release(address);
  ring.free.insert(ring.free.end(), found->second.descriptors.rbegin(),
                   found->second.descriptors.rend());
  ring.outstanding.erase(found);
  return used;
}

std::uint16_t FakeDriver::used_pending(virtio::QueueIndex queue) const {
  return static_cast<std::uint16_t>(raw_used_index(queue) - driver_queues_.at(queue).used_seen);
}

void FakeDriver::want_interrupts(virtio::QueueIndex queue, bool wanted) {
  DriverQueue& ring = at(queue);
  ring.want_interrupts = wanted;
  if (options_.event_idx) {
    // Not wanted: an event as far behind as there is.
    const auto event = static_cast<std::uint16_t>(wanted ? ring.used_seen : ring.used_seen - 1);
    word(*memory_, ring.ring.available + kRing + 2ULL * ring.ring.size).store(event);
  } else {
    word(*memory_, ring.ring.available + kFlags).store(wanted ? 0 : 1);
  }
}

std::size_t FakeDriver::free_descriptors(virtio::QueueIndex queue) const {
  return driver_queues_.at(queue).free.size();
}

std::uint64_t FakeDriver::queue_features() const {
  return virtio::kFeatureVersion1 | (options_.event_idx ? virtio::kFeatureEventIdx : 0) |
         (options_.indirect ? virtio::kFeatureIndirectDescriptors : 0);
}

virtio::QueueConfig FakeDriver::queue_config(virtio::QueueIndex queue) const {
  const Ring& where = ring(queue);
  return {.size = where.size,
          .descriptors = where.descriptors,
          .available = where.available,
          .used = where.used,
          .next_available = raw_used_index(queue),
          .event_idx = options_.event_idx,
          .indirect = options_.indirect};
}

virtio::Activation FakeDriver::activation(std::uint64_t device_features,
                                          std::optional<std::size_t> count) {
  device_queues_.clear();
  for (std::size_t i = 0; i < count.value_or(driver_queues_.size()); ++i) {
    const auto config = queue_config(static_cast<virtio::QueueIndex>(i));
    device_queues_.push_back(virtio::Queue::create(memory_, config).value());
  }
  return {memory_, device_queues_, device_features | queue_features(), &interrupt_};
}

void FakeDriver::activate(virtio::Device& device, std::uint64_t device_features,
                          std::optional<std::size_t> count) {
  device.activate(activation(device_features, count));
}

void FakeDriver::raw_descriptor(virtio::QueueIndex queue, std::uint16_t index,
                                RawDescriptor descriptor) {
  memory_->store(ring(queue).descriptors + 16ULL * index, descriptor);
}

RawDescriptor FakeDriver::raw_descriptor(virtio::QueueIndex queue, std::uint16_t index) const {
  return memory_->load<RawDescriptor>(ring(queue).descriptors + 16ULL * index).value();
}

void FakeDriver::raw_add(virtio::QueueIndex queue, std::uint16_t head) {
  DriverQueue& ring = at(queue);
  memory_->store(ring.ring.available + kRing + 2ULL * (ring.added % ring.ring.size), head);
  ++ring.added;
  ring.outstanding.try_emplace(head);
}

void FakeDriver::raw_available_index(virtio::QueueIndex queue, std::uint16_t value) {
  word(*memory_, ring(queue).available + kIndex).store(value, std::memory_order_release);
}

std::uint16_t FakeDriver::raw_used_index(virtio::QueueIndex queue) const {
  return word(*memory_, ring(queue).used + kIndex).load(std::memory_order_acquire);
}

}  // namespace capsa::test
