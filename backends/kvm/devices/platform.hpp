#pragma once

#include <atomic>
#include <backends/hypervisor.hpp>
#include <backends/kvm/bus.hpp>
#include <functional>
#include <mutex>

namespace capsa::kvm {

/// \file The small devices of a PC that this machine has: each a few registers.

/// Tells the machine that the guest ended, and how.
using GuestEnded = std::function<void(hypervisor::EndCause)>;

/// The ACPI sleep control, sleep status and reset registers (ACPI 6.4, 4.8.3.7): power-off and
/// reset. From kSleepControlPort on.
class PowerControl final : public BusDevice {
 public:
  static constexpr std::uint64_t kPorts = 3;
  explicit PowerControl(GuestEnded ended) : ended_(std::move(ended)) {}
  void read(std::uint64_t offset, std::span<std::byte> out) override;
  void write(std::uint64_t offset, std::span<const std::byte> in) override;

 private:
  const GuestEnded ended_;
};

/// The keyboard controller, as far as it resets a PC: command 0xfe at its second port. There is no
/// keyboard. From kI8042Port on.
class KeyboardController final : public BusDevice {
 public:
  static constexpr std::uint64_t kPorts = 5;
  explicit KeyboardController(GuestEnded ended) : ended_(std::move(ended)) {}
  void read(std::uint64_t offset, std::span<std::byte> out) override;
  void write(std::uint64_t offset, std::span<const std::byte> in) override;

 private:
  const GuestEnded ended_;
};

/// pvpanic (QEMU, docs/specs/pvpanic): one port by which a kernel reports that it panicked.
class PanicPort final : public BusDevice {
 public:
  static constexpr std::uint64_t kPorts = 1;
  explicit PanicPort(GuestEnded ended) : ended_(std::move(ended)) {}
  void read(std::uint64_t offset, std::span<std::byte> out) override;
  void write(std::uint64_t offset, std::span<const std::byte> in) override;

 private:
  const GuestEnded ended_;
};

/// The clock of a PC (MC146818), UTC, as it is on the host. Registers can be read; alarms and
/// writes are ignored. From kRtcPort on.
class RealTimeClock final : public BusDevice {
 public:
  static constexpr std::uint64_t kPorts = 2;
  /// `now` gives seconds since 1970; from any thread.
  explicit RealTimeClock(std::function<std::int64_t()> now) : now_(std::move(now)) {}
  void read(std::uint64_t offset, std::span<std::byte> out) override;
  void write(std::uint64_t offset, std::span<const std::byte> in) override;

 private:
  std::uint8_t value(std::uint8_t index) const;
  const std::function<std::int64_t()> now_;
  std::atomic<std::uint8_t> index_{0};
};

/// The Generic Event Device's register: which events the guest has not seen yet. Reading takes
/// them. Its line is high while there are some, so that none is lost on a driver that comes later.
class EventDevice final : public BusDevice {
 public:
  /// `line` sets the level of the interrupt line, from any thread.
  explicit EventDevice(std::function<void(bool)> line) : line_(std::move(line)) {}
  /// From any thread.
  void raise(std::uint32_t events);
  void read(std::uint64_t offset, std::span<std::byte> out) override;
  void write(std::uint64_t offset, std::span<const std::byte> in) override;

 private:
  const std::function<void(bool)> line_;
  std::mutex mutex_;  // guards what follows, and keeps the line in step with it
  std::uint32_t pending_ = 0;
};

}  // namespace capsa::kvm
