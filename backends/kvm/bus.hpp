#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace capsa::kvm {

/// A device whose registers cause exits. Called on vCPU threads, several at a time: a device guards
/// itself. Offsets lie in its range; lengths are 1, 2, 4 or 8 for memory, 1, 2 or 4 for ports.
class BusDevice {
 public:
  virtual ~BusDevice() = default;
  virtual void read(std::uint64_t offset, std::span<std::byte> out) = 0;
  virtual void write(std::uint64_t offset, std::span<const std::byte> in) = 0;
};

/// Who answers for which addresses; one for memory, one for ports. What belongs to nobody reads as
/// all ones and swallows writes, as on a PC. Immutable once the machine runs.
class Bus {
 public:
  /// False, and nothing is added, where the range is empty, wraps or overlaps another.
  bool add(std::uint64_t start, std::uint64_t length, std::shared_ptr<BusDevice> device);
  /// Whether the whole access lies in one device.
  bool read(std::uint64_t address, std::span<std::byte> out) const;
  bool write(std::uint64_t address, std::span<const std::byte> in) const;

 private:
  struct Range {
    std::uint64_t start;
    std::uint64_t length;
    std::shared_ptr<BusDevice> device;
  };
  const Range* find(std::uint64_t address, std::size_t length) const;

  std::vector<Range> ranges_;  // sorted by start
};

}  // namespace capsa::kvm
