#include <cstring>
#include <tests/support/mmio_driver.hpp>

namespace capsa::test {

using namespace virtio::mmio;  // NOLINT: its words are what this file is about

std::uint32_t MmioDriver::read(Register which) const {
  std::uint32_t value = 0;
  transport_.read(static_cast<std::uint64_t>(which), std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

void MmioDriver::write(Register which, std::uint32_t value) const {
  transport_.write(static_cast<std::uint64_t>(which), std::as_bytes(std::span(&value, 1)));
}

void MmioDriver::hello() const {
  write(Register::Status, 0);
  add_status(kStatusAcknowledge);
  add_status(kStatusDriver);
}

std::uint64_t MmioDriver::offered() const {
  write(Register::DeviceFeaturesSelect, 1);
  const std::uint64_t high = read(Register::DeviceFeatures);
  write(Register::DeviceFeaturesSelect, 0);
  return high << 32 | read(Register::DeviceFeatures);
}

bool MmioDriver::agree(std::uint64_t features) const {
  write(Register::DriverFeaturesSelect, 1);
  write(Register::DriverFeatures, static_cast<std::uint32_t>(features >> 32));
  write(Register::DriverFeaturesSelect, 0);
  write(Register::DriverFeatures, static_cast<std::uint32_t>(features));
  add_status(kStatusFeaturesOk);
  return (status() & kStatusFeaturesOk) != 0;
}

void MmioDriver::set_queue(virtio::QueueIndex queue, const FakeDriver::Ring& ring) const {
  const auto low = [](std::uint64_t address) { return static_cast<std::uint32_t>(address); };
  const auto high = [](std::uint64_t address) { return static_cast<std::uint32_t>(address >> 32); };
  write(Register::QueueSelect, queue);
  write(Register::QueueSize, ring.size);
  write(Register::QueueDescriptorsLow, low(ring.descriptors));
  write(Register::QueueDescriptorsHigh, high(ring.descriptors));
  write(Register::QueueAvailableLow, low(ring.available));
  write(Register::QueueAvailableHigh, high(ring.available));
  write(Register::QueueUsedLow, low(ring.used));
  write(Register::QueueUsedHigh, high(ring.used));
  write(Register::QueueReady, 1);
}

bool MmioDriver::go() const {
  add_status(kStatusDriverOk);
  return (status() & (kStatusDriverOk | kStatusNeedsReset)) == kStatusDriverOk;
}

bool MmioDriver::start(const FakeDriver& guest, virtio::QueueIndex first) const {
  hello();
  // Bit 0 stands for a device's own feature.
  if (!agree(offered() & (guest.queue_features() | 1))) return false;
  for (virtio::QueueIndex i = 0; i < transport_.queues(); ++i)
    set_queue(i, guest.ring(static_cast<virtio::QueueIndex>(first + i)));
  return go();
}

std::uint32_t MmioDriver::take_interrupt() const {
  const std::uint32_t why = read(Register::InterruptStatus);
  write(Register::InterruptAcknowledge, why);
  return why;
}

}  // namespace capsa::test
