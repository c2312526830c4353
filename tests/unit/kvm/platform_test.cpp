#include <array>
#include <backends/kvm/devices/platform.hpp>
#include <backends/kvm/layout.hpp>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <vector>

using namespace capsa::kvm;  // NOLINT: this is a test
using capsa::hypervisor::EndCause;

namespace {

int in(BusDevice& device, std::uint64_t offset) {
  std::byte value{0xee};
  device.read(offset, std::span(&value, 1));
  return std::to_integer<int>(value);
}

void out(BusDevice& device, std::uint64_t offset, int value) {
  const auto byte = static_cast<std::byte>(value);
  device.write(offset, std::span(&byte, 1));
}

struct Platform {
  std::vector<EndCause> ends;
  GuestEnded ended = [this](EndCause cause) { ends.push_back(cause); };
  std::int64_t now = 0;
  RealTimeClock clock{[this] { return now; }};

  bool ended_once_by(EndCause cause) const { return ends == std::vector{cause}; }
  int clock_at(int index) {
    out(clock, 0, index);
    return in(clock, 1);
  }
};

// The CMOS's registers, as Linux's mc146818rtc.h names them.
enum Cmos {
  Seconds = 0,
  Minutes = 2,
  Hours = 4,
  WeekDay = 6,
  Day = 7,
  Month = 8,
  Year = 9,
  FrequencySelect = 0x0a,
  Control = 0x0b,
  Valid = 0x0d,
  Century = 0x32
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(kvm_platform, Platform)

BOOST_AUTO_TEST_CASE(s5_with_enable_powers_off) {
  PowerControl power(ended);
  out(power, 1, 0x80);  // the wake status, which ACPICA clears before
  out(power, 0, 5 << 2);
  BOOST_TEST(ends.empty());
  out(power, 0, 5 << 2 | 0x20);
  BOOST_TEST(ended_once_by(EndCause::PowerOff));
}

BOOST_AUTO_TEST_CASE(other_sleep_states_do_nothing) {
  PowerControl power(ended);
  for (const int type : {0, 1, 3, 4, 6, 7})
    out(power, 0, type << 2 | 0x20);
  BOOST_TEST(ends.empty());
  BOOST_TEST(in(power, 0) == 0);
}

BOOST_AUTO_TEST_CASE(the_reset_register_takes_its_value_alone) {
  PowerControl power(ended);
  constexpr std::uint64_t kReset = kResetPort - kSleepControlPort;
  out(power, kReset, 0);
  out(power, kReset, 5 << 2 | 0x20);
  out(power, 0, kResetValue);
  BOOST_TEST(ends.empty());
  out(power, kReset, kResetValue);
  BOOST_TEST(ended_once_by(EndCause::Reset));
}

BOOST_AUTO_TEST_CASE(the_keyboard_controller_resets) {
  KeyboardController keyboard(ended);
  BOOST_TEST((in(keyboard, 4) & 3) == 0);  // nothing waits, in either direction
  out(keyboard, 0, 0xfe);
  out(keyboard, 4, 0xd1);
  BOOST_TEST(ends.empty());
  out(keyboard, 4, 0xfe);
  BOOST_TEST(ended_once_by(EndCause::Reset));
}

BOOST_AUTO_TEST_CASE(nobody_waits_for_a_timer_that_is_not_there) {
  KeyboardController keyboard(ended);
  BOOST_TEST((in(keyboard, 1) & 0x20) != 0);  // port 0x61, as pit_calibrate_tsc() polls it
  out(keyboard, 1, 1);
  BOOST_TEST((in(keyboard, 1) & 0x20) != 0);
}

BOOST_AUTO_TEST_CASE(a_panic_ends_the_guest_and_a_crash_kernel_does_not) {
  PanicPort port(ended);
  BOOST_TEST(in(port, 0) == 3);
  out(port, 0, 2);
  BOOST_TEST(ends.empty());
  out(port, 0, 1);
  BOOST_TEST(ended_once_by(EndCause::Panic));
}

BOOST_AUTO_TEST_CASE(the_clock_tells_the_date_in_bcd) {
  now = 1'709'251'199;  // Thursday 2024-02-29 23:59:59
  BOOST_TEST(clock_at(Seconds) == 0x59);
  BOOST_TEST(clock_at(Minutes) == 0x59);
  BOOST_TEST(clock_at(Hours) == 0x23);
  BOOST_TEST(clock_at(WeekDay) == 5);
  BOOST_TEST(clock_at(Day) == 0x29);
  BOOST_TEST(clock_at(Month) == 0x02);
  BOOST_TEST(clock_at(Year) == 0x24);
  BOOST_TEST(clock_at(Century) == 0x20);
  ++now;
  BOOST_TEST(clock_at(Seconds) == 0);
  BOOST_TEST(clock_at(Hours) == 0);
  BOOST_TEST(clock_at(WeekDay) == 6);
  BOOST_TEST(clock_at(Day) == 1);
  BOOST_TEST(clock_at(Month) == 3);
}

BOOST_AUTO_TEST_CASE(the_clock_knows_the_first_and_the_next_century) {
  now = 0;
  BOOST_TEST(clock_at(Year) == 0x70);
  BOOST_TEST(clock_at(Century) == 0x19);
  BOOST_TEST(clock_at(WeekDay) == 5);  // a Thursday
  now = 4'102'444'800;
  BOOST_TEST(clock_at(Year) == 0);
  BOOST_TEST(clock_at(Century) == 0x21);
}

// cmos_do_probe() and mc146818_does_rtc_work().
BOOST_AUTO_TEST_CASE(linux_takes_the_clock_for_one_that_works) {
  BOOST_TEST((clock_at(FrequencySelect) & 0x80) == 0);  // no update is in progress
  BOOST_TEST((clock_at(Valid) & 0x40) == 0);
  BOOST_TEST((clock_at(Valid) & 0x80) != 0);
  const int control = clock_at(Control);
  BOOST_TEST((control & 0x02) != 0);  // 24 hours
  BOOST_TEST((control & 0x04) == 0);  // BCD
  BOOST_TEST((control & 0x70) == 0);  // no interrupts
}

BOOST_AUTO_TEST_CASE(the_clock_cannot_be_set) {
  now = 1'709'251'199;
  out(clock, 0, Hours);
  out(clock, 1, 0x11);
  BOOST_TEST(clock_at(Hours) == 0x23);
}

BOOST_AUTO_TEST_CASE(the_bit_that_masks_nmis_is_no_part_of_the_index) {
  now = 1'709'251'199;
  BOOST_TEST(clock_at(0x80 | Hours) == 0x23);
}

BOOST_AUTO_TEST_CASE(a_time_that_the_host_cannot_mean_does_no_harm) {
  for (const std::int64_t odd : {-1L, -62'167'219'201L, 253'402'300'800L}) {
    now = odd;
    for (int index = 0; index < 0x80; ++index)
      clock_at(index);
  }
  BOOST_TEST(clock_at(Control) == 2);
}

BOOST_AUTO_TEST_CASE(events_are_told_once_and_together_and_the_line_is_high_until_then) {
  bool line = false;
  EventDevice device([&](bool high) { line = high; });
  const auto take = [&] {
    std::uint32_t events = 0xeeee'eeee;
    device.read(0, std::as_writable_bytes(std::span(&events, 1)));
    return events;
  };
  BOOST_TEST(take() == 0U);
  device.raise(kEventPowerButton);
  device.raise(kEventGenerationChanged);
  BOOST_TEST(line);
  std::array<std::byte, 2> half;
  device.read(0, half);  // not the width of the register: takes nothing
  std::array<std::byte, 4> beside;
  device.read(4, beside);
  BOOST_TEST(line);
  BOOST_TEST(take() == (kEventPowerButton | kEventGenerationChanged));
  BOOST_TEST(!line);
  BOOST_TEST(take() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
