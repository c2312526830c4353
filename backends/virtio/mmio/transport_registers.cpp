#include <unistd.h>

#include <algorithm>
#include <backends/virtio/mmio/transport.hpp>
#include <cstring>

namespace capsa::virtio::mmio {
namespace {

void set_low(memory::GuestAddress& address, std::uint32_t value) {
  address = (address & 0xffff'ffff'0000'0000) | value;
}
void set_high(memory::GuestAddress& address, std::uint32_t value) {
  address = (address & 0xffff'ffff) | (std::uint64_t{value} << 32);
}

}  // namespace

void Transport::read(std::uint64_t offset, std::span<std::byte> out) {
  std::fill(out.begin(), out.end(), std::byte{0});
  if (offset >= kConfigOffset) return read_config(offset - kConfigOffset, out);
  // virtio 1.2, 4.2.2.2: registers are read and written as aligned 32-bit words.
  if (out.size() != 4 || offset % 4 != 0) return;
  const std::lock_guard lock(registers_mutex_);
  const std::uint32_t value = read_register(static_cast<Register>(offset));
  std::memcpy(out.data(), &value, sizeof value);
}

void Transport::write(std::uint64_t offset, std::span<const std::byte> in) {
  const std::lock_guard lock(registers_mutex_);
  if (offset >= kConfigOffset) return write_config(offset - kConfigOffset, in);
  if (in.size() != 4 || offset % 4 != 0) return;
  std::uint32_t value = 0;
  std::memcpy(&value, in.data(), sizeof value);
  write_register(static_cast<Register>(offset), value);
}

/// The selected queue, where there is one.
Transport::QueueSetup* Transport::selected() {
  return queue_select_ < setups_.size() ? &setups_[queue_select_] : nullptr;
}

/// Between FEATURES_OK and DRIVER_OK, where queues are set up.
bool Transport::in_setup() const {
  return (status_ & (kStatusFeaturesOk | kStatusDriverOk | kStatusFailed)) == kStatusFeaturesOk;
}

/// The same where the driver may change it now: virtio 1.2, 4.2.2.2, not while it is in use.
Transport::QueueSetup* Transport::changeable() {
  QueueSetup* const queue = selected();
  return in_setup() && queue != nullptr && !queue->ready ? queue : nullptr;
}

std::uint32_t Transport::read_register(Register which) {
  switch (which) {
    case Register::Magic:
      return kMagic;
    case Register::Version:
      return kVersion;
    case Register::DeviceId:
      return identity_.type;
    case Register::VendorId:
      return kVendor;
    case Register::DeviceFeatures:
      if (device_features_select_ > 1) return 0;
      return static_cast<std::uint32_t>(identity_.features >> (32 * device_features_select_));
    case Register::QueueSizeMax:
      return selected() != nullptr ? identity_.queue_sizes[queue_select_] : 0;
    case Register::QueueReady:
      return selected() != nullptr && selected()->ready ? 1 : 0;
    case Register::InterruptStatus:
      return interrupt_status_.load(std::memory_order_acquire);
    case Register::Status:
      return status_;
    case Register::SharedMemoryLengthLow:
    case Register::SharedMemoryLengthHigh:
    case Register::SharedMemoryBaseLow:
    case Register::SharedMemoryBaseHigh:
      return 0xffff'ffff;  // 4.2.2.1: there is no such region
    case Register::ConfigGeneration: {
      const std::lock_guard lock(config_mutex_);
      return generation_;
    }
    default:
      return 0;
  }
}

void Transport::write_register(Register which, std::uint32_t value) {
  switch (which) {
    case Register::DeviceFeaturesSelect:
      device_features_select_ = value;
      return;
    case Register::DriverFeaturesSelect:
      driver_features_select_ = value;
      return;
    case Register::DriverFeatures:
      if ((status_ & kStatusFeaturesOk) != 0) return;
      if (driver_features_select_ == 0) driver_features_ = (driver_features_ >> 32 << 32) | value;
      if (driver_features_select_ == 1)
        driver_features_ = (driver_features_ & 0xffff'ffff) | (std::uint64_t{value} << 32);
      return;
    case Register::QueueSelect:
      queue_select_ = value;
      return;
    case Register::QueueSize:
      if (auto* queue = changeable()) queue->size = value;
      return;
    case Register::QueueReady:
      if (auto* queue = changeable(); queue != nullptr && value == 1) queue->ready = true;
      // Taken back by a driver that gives up in the middle; one in use stays until a reset.
      if (value == 0 && in_setup() && selected() != nullptr) selected()->ready = false;
      return;
    case Register::QueueNotify: {
      // Only where the hypervisor could not write to the eventfd for us.
      const std::uint64_t one = 1;
      if (value >= kicks_.size()) return;
      [[maybe_unused]] const auto n = ::write(kicks_[value].get(), &one, sizeof one);
      return;
    }
    case Register::InterruptAcknowledge:
      interrupt_status_.fetch_and(~value, std::memory_order_acq_rel);
      return;
    case Register::Status:
      return write_status(value);
    case Register::QueueDescriptorsLow:
      if (auto* queue = changeable()) set_low(queue->descriptors, value);
      return;
    case Register::QueueDescriptorsHigh:
      if (auto* queue = changeable()) set_high(queue->descriptors, value);
      return;
    case Register::QueueAvailableLow:
      if (auto* queue = changeable()) set_low(queue->available, value);
      return;
    case Register::QueueAvailableHigh:
      if (auto* queue = changeable()) set_high(queue->available, value);
      return;
    case Register::QueueUsedLow:
      if (auto* queue = changeable()) set_low(queue->used, value);
      return;
    case Register::QueueUsedHigh:
      if (auto* queue = changeable()) set_high(queue->used, value);
      return;
    default:
      return;
  }
}

void Transport::write_status(std::uint32_t value) {
  if (value == 0) {
    on_loop([this](std::function<void()> done) { reset_device(std::move(done)); });
    return reset_registers();
  }
  // 2.1.1: a driver only sets bits; NEEDS_RESET is the device's to set.
  std::uint32_t added = value & ~status_ & 0xff & ~kStatusNeedsReset;
  if ((status_ & (kStatusFailed | kStatusNeedsReset)) != 0) return;
  if ((added & kStatusFeaturesOk) != 0) {
    // 3.1.1: the bit stays clear where the driver wants what was not offered, or is a legacy one.
    const bool accepted =
        (driver_features_ & ~identity_.features) == 0 && (driver_features_ & kFeatureVersion1) != 0;
    if (!accepted) added &= ~kStatusFeaturesOk;
  }
  status_ |= added & ~kStatusDriverOk;
  if ((added & kStatusDriverOk) == 0 || (status_ & kStatusFeaturesOk) == 0) return;
  // Shared: where the machine ends, nobody waits here any more when the loop comes to it.
  const auto active = std::make_shared<std::atomic<bool>>(false);
  on_loop([this, setups = setups_, features = driver_features_,
           active](const std::function<void()>& done) {
    *active = activate(setups, features).ok();
    done();
  });
  status_ |= *active ? kStatusDriverOk : kStatusDriverOk | kStatusNeedsReset;
  if (!*active) raise(kInterruptConfig);
}

void Transport::reset_registers() {
  status_ = 0;
  device_features_select_ = driver_features_select_ = queue_select_ = 0;
  driver_features_ = 0;
  interrupt_status_.store(0, std::memory_order_release);
  for (auto& setup : setups_)
    setup = {};
}

void Transport::read_config(std::size_t offset, std::span<std::byte> out) {
  const std::lock_guard lock(config_mutex_);
  if (offset >= config_.size()) return;
  const auto length = std::min(out.size(), config_.size() - offset);
  std::copy_n(config_.begin() + static_cast<std::ptrdiff_t>(offset), length, out.begin());
}

void Transport::write_config(std::size_t offset, std::span<const std::byte> in) {
  if (offset >= identity_.config_size || in.size() > identity_.config_size - offset) return;
  std::vector<std::byte> bytes(in.begin(), in.end());
  on_loop([this, offset, bytes = std::move(bytes)](const std::function<void()>& done) {
    device_->write_config(offset, bytes);
    renew_config();
    done();
  });
}

}  // namespace capsa::virtio::mmio
