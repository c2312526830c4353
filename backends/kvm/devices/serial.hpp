#pragma once

#include <backends/kvm/bus.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <functional>
#include <mutex>

namespace capsa::kvm {

/// A 16550A serial port whose output goes to a descriptor: the kernel's log, early console and last
/// words. It has no input. (Texas Instruments PC16550D data sheet: registers and identification, as
/// far as Linux's 8250 driver looks.)
class SerialPort final : public BusDevice {
 public:
  static constexpr std::uint64_t kPorts = 8;

  /// `output` is a stream socket, written without waiting: what does not fit is lost, as on a line
  /// that nobody reads. `interrupt` is called, from any thread, where the driver is to look.
  SerialPort(UniqueFd output, std::function<void()> interrupt);

  void read(std::uint64_t offset, std::span<std::byte> out) override;
  void write(std::uint64_t offset, std::span<const std::byte> in) override;

 private:
  std::uint8_t read_register(std::uint64_t offset);
  void write_register(std::uint64_t offset, std::uint8_t value);
  void send(std::uint8_t byte);

  const UniqueFd output_;
  const std::function<void()> interrupt_;

  std::mutex mutex_;  // guards what follows
  std::uint8_t interrupt_enable_ = 0;
  std::uint8_t line_control_ = 0;
  std::uint8_t modem_control_ = 0;
  std::uint8_t scratch_ = 0;
  std::uint8_t divisor_low_ = 12;  // 9600 baud; nothing here has a speed
  std::uint8_t divisor_high_ = 0;
  bool fifo_ = false;
  bool sent_ = false;  // the "may send" interrupt is pending
};

}  // namespace capsa::kvm
