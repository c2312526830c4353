#include <sys/socket.h>

#include <algorithm>
#include <backends/kvm/devices/serial.hpp>

namespace capsa::kvm {
namespace {

constexpr std::uint64_t kData = 0;             // or the divisor's low byte
constexpr std::uint64_t kInterruptEnable = 1;  // or the divisor's high byte
constexpr std::uint64_t kInterruptId = 2;      // written: FIFO control
constexpr std::uint64_t kLineControl = 3;
constexpr std::uint64_t kModemControl = 4;
constexpr std::uint64_t kLineStatus = 5;
constexpr std::uint64_t kModemStatus = 6;
constexpr std::uint64_t kScratch = 7;

constexpr std::uint8_t kDivisorLatch = 0x80;  // line control
constexpr std::uint8_t kMaySend = 0x02;       // interrupt enable and id
constexpr std::uint8_t kNoInterrupt = 0x01;   // interrupt id
constexpr std::uint8_t kFifosOn = 0xc0;       // interrupt id
constexpr std::uint8_t kEmpty = 0x60;         // line status: both registers of the sender
constexpr std::uint8_t kLoopback = 0x10;      // modem control
constexpr std::uint8_t kConnected = 0xb0;     // modem status: CTS, DSR, DCD

}  // namespace

SerialPort::SerialPort(UniqueFd output, std::function<void()> interrupt)
    : output_(std::move(output)), interrupt_(std::move(interrupt)) {}

void SerialPort::read(std::uint64_t offset, std::span<std::byte> out) {
  std::fill(out.begin(), out.end(), std::byte{0});
  const std::lock_guard lock(mutex_);
  out[0] = std::byte{read_register(offset)};
}

void SerialPort::write(std::uint64_t offset, std::span<const std::byte> in) {
  const std::lock_guard lock(mutex_);
  write_register(offset, std::to_integer<std::uint8_t>(in[0]));
}

std::uint8_t SerialPort::read_register(std::uint64_t offset) {
  const bool latch = (line_control_ & kDivisorLatch) != 0;
  switch (offset) {
    case kData:
      return latch ? divisor_low_ : 0;
    case kInterruptEnable:
      return latch ? divisor_high_ : interrupt_enable_;
    case kInterruptId: {
      const bool pending = sent_ && (interrupt_enable_ & kMaySend) != 0;
      sent_ = false;  // reading takes it back
      return static_cast<std::uint8_t>((pending ? kMaySend : kNoInterrupt) |
                                       (fifo_ ? kFifosOn : 0));
    }
    case kLineControl:
      return line_control_;
    case kModemControl:
      return modem_control_;
    case kLineStatus:
      return kEmpty;
    case kModemStatus: {
      if ((modem_control_ & kLoopback) == 0) return kConnected;
      // What the port says comes back: RTS as CTS, DTR as DSR, OUT1 as RI, OUT2 as DCD.
      const unsigned said = modem_control_;
      return static_cast<std::uint8_t>(((said & 2) << 3) | ((said & 1) << 5) | ((said & 4) << 4) |
                                       ((said & 8) << 4));
    }
    case kScratch:
      return scratch_;
    default:
      return 0;
  }
}

void SerialPort::write_register(std::uint64_t offset, std::uint8_t value) {
  const bool latch = (line_control_ & kDivisorLatch) != 0;
  switch (offset) {
    case kData:
      if (latch) {
        divisor_low_ = value;
      } else if ((modem_control_ & kLoopback) == 0) {
        send(value);
      }
      return;
    case kInterruptEnable:
      if (latch) {
        divisor_high_ = value;
        return;
      }
      interrupt_enable_ = value & 0x0f;
      // The sender is always empty, which is news to a driver that begins to ask.
      if ((interrupt_enable_ & kMaySend) != 0) {
        sent_ = true;
        interrupt_();
      }
      return;
    case kInterruptId:
      fifo_ = (value & 1) != 0;
      return;
    case kLineControl:
      line_control_ = value;
      return;
    case kModemControl:
      modem_control_ = value & 0x1f;
      return;
    case kScratch:
      scratch_ = value;
      return;
    default:
      return;
  }
}

void SerialPort::send(std::uint8_t byte) {
  if (output_) ::send(output_.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  sent_ = true;
  if ((interrupt_enable_ & kMaySend) != 0) interrupt_();
}

}  // namespace capsa::kvm
