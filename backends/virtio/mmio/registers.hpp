#pragma once

#include <cstddef>
#include <cstdint>

/// \file The registers of a virtio device on mmio (virtio 1.2, 4.2.2): offsets, bits and values.
namespace capsa::virtio::mmio {

enum class Register : std::uint32_t {
  Magic = 0x000,
  Version = 0x004,
  DeviceId = 0x008,
  VendorId = 0x00c,
  DeviceFeatures = 0x010,
  DeviceFeaturesSelect = 0x014,
  DriverFeatures = 0x020,
  DriverFeaturesSelect = 0x024,
  QueueSelect = 0x030,
  QueueSizeMax = 0x034,
  QueueSize = 0x038,
  QueueReady = 0x044,
  QueueNotify = 0x050,
  InterruptStatus = 0x060,
  InterruptAcknowledge = 0x064,
  Status = 0x070,
  QueueDescriptorsLow = 0x080,
  QueueDescriptorsHigh = 0x084,
  QueueAvailableLow = 0x090,
  QueueAvailableHigh = 0x094,
  QueueUsedLow = 0x0a0,
  QueueUsedHigh = 0x0a4,
  SharedMemoryLengthLow = 0x0b0,
  SharedMemoryLengthHigh = 0x0b4,
  SharedMemoryBaseLow = 0x0b8,
  SharedMemoryBaseHigh = 0x0bc,
  ConfigGeneration = 0x0fc,
};

inline constexpr std::uint64_t kNotifyOffset = static_cast<std::uint64_t>(Register::QueueNotify);
inline constexpr std::size_t kConfigOffset = 0x100;

inline constexpr std::uint32_t kMagic = 0x74726976;   // "virt"
inline constexpr std::uint32_t kVersion = 2;          // 1 is the legacy interface
inline constexpr std::uint32_t kVendor = 0x61737063;  // "cpsa"; shown, and nothing else

// Device status (virtio 1.2, 2.1).
inline constexpr std::uint32_t kStatusAcknowledge = 1;
inline constexpr std::uint32_t kStatusDriver = 2;
inline constexpr std::uint32_t kStatusDriverOk = 4;
inline constexpr std::uint32_t kStatusFeaturesOk = 8;
inline constexpr std::uint32_t kStatusNeedsReset = 64;
inline constexpr std::uint32_t kStatusFailed = 128;

// Why the interrupt came.
inline constexpr std::uint32_t kInterruptQueue = 1;
inline constexpr std::uint32_t kInterruptConfig = 2;

}  // namespace capsa::virtio::mmio
