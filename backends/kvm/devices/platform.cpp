#include <algorithm>
#include <backends/kvm/devices/platform.hpp>
#include <backends/kvm/layout.hpp>
#include <chrono>
#include <cstring>

namespace capsa::kvm {
namespace {

using hypervisor::EndCause;

// Sleep control register: SLP_TYP in bits 2 to 4, SLP_EN.
constexpr std::uint8_t kSleepEnable = 0x20;

constexpr std::uint8_t kPulseReset = 0xfe;  // i8042 command: pull the CPU's reset line

// Events of pvpanic.
constexpr std::uint8_t kPanicked = 1;
constexpr std::uint8_t kCrashLoaded = 2;

void answer(std::span<std::byte> out, std::uint8_t value) {
  std::fill(out.begin(), out.end(), std::byte{0});
  out[0] = std::byte{value};
}

std::uint8_t bcd(std::int64_t value) {
  return static_cast<std::uint8_t>(value / 10 * 16 + value % 10);
}

}  // namespace

void PowerControl::read(std::uint64_t /*offset*/, std::span<std::byte> out) {
  answer(out, 0);
}

void PowerControl::write(std::uint64_t offset, std::span<const std::byte> in) {
  const auto value = std::to_integer<std::uint8_t>(in[0]);
  const std::uint64_t port = kSleepControlPort + offset;
  if (port == kSleepControlPort && (value & kSleepEnable) != 0 &&
      ((value >> 2) & 7) == kSleepTypeS5)
    return ended_(EndCause::PowerOff);
  if (port == kResetPort && value == kResetValue) ended_(EndCause::Reset);
}

void KeyboardController::read(std::uint64_t offset, std::span<std::byte> out) {
  constexpr std::uint64_t kSystemControl = 1;
  constexpr std::uint8_t kTimerDone = 0x20;
  // Nothing to read, ready for a command. Between its ports is port 0x61, where kernels that
  // measure their clock against the interval timer wait for its second channel: for ever, where
  // there is none. (Where KVM has one, KVM answers.)
  answer(out, offset == kSystemControl ? kTimerDone : 0);
}

void KeyboardController::write(std::uint64_t offset, std::span<const std::byte> in) {
  constexpr std::uint64_t kCommand = 4;
  if (offset == kCommand && std::to_integer<std::uint8_t>(in[0]) == kPulseReset)
    ended_(EndCause::Reset);
}

void PanicPort::read(std::uint64_t /*offset*/, std::span<std::byte> out) {
  answer(out, kPanicked | kCrashLoaded);
}

void PanicPort::write(std::uint64_t /*offset*/, std::span<const std::byte> in) {
  if ((std::to_integer<std::uint8_t>(in[0]) & kPanicked) != 0) ended_(EndCause::Panic);
}

std::uint8_t RealTimeClock::value(std::uint8_t index) const {
  // Not gmtime(3): the first caller of it has the C library read the time zone's file, which a
  // vCPU may not, and then the whole program would be at UTC.
  const std::chrono::sys_seconds now{std::chrono::seconds(now_())};
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::hh_mm_ss time(now - day);
  const std::chrono::year_month_day date(day);
  const int year = static_cast<int>(date.year());
  switch (index) {
    case 0x00:
      return bcd(time.seconds().count());
    case 0x02:
      return bcd(time.minutes().count());
    case 0x04:
      return bcd(time.hours().count());
    case 0x06:
      return bcd(std::chrono::weekday(day).c_encoding() + 1);  // Sunday is 1
    case 0x07:
      return bcd(static_cast<unsigned>(date.day()));
    case 0x08:
      return bcd(static_cast<unsigned>(date.month()));
    case 0x09:
      return bcd(year % 100);
    case 0x32:
      return bcd(year / 100);
    case 0x0a:
      return 0x26;  // 32768 Hz time base, no update in progress
    case 0x0b:
      return 0x02;  // 24 hours, BCD
    case 0x0d:
      return 0x80;  // the battery is good
    default:
      return 0;
  }
}

void RealTimeClock::read(std::uint64_t offset, std::span<std::byte> out) {
  answer(out, offset == 1 ? value(index_) : 0xff);
}

void RealTimeClock::write(std::uint64_t offset, std::span<const std::byte> in) {
  if (offset == 0) index_ = std::to_integer<std::uint8_t>(in[0]) & 0x7f;  // bit 7 masks NMIs
}

void EventDevice::raise(std::uint32_t events) {
  const std::lock_guard lock(mutex_);
  pending_ |= events;
  line_(pending_ != 0);
}

void EventDevice::read(std::uint64_t offset, std::span<std::byte> out) {
  std::fill(out.begin(), out.end(), std::byte{0});
  if (offset != 0 || out.size() != sizeof(std::uint32_t)) return;
  const std::lock_guard lock(mutex_);
  const std::uint32_t events = std::exchange(pending_, 0);
  line_(false);
  std::memcpy(out.data(), &events, sizeof events);
}

void EventDevice::write(std::uint64_t /*offset*/, std::span<const std::byte> /*in*/) {
  // nop
}

}  // namespace capsa::kvm
