#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <backends/kvm/devices/serial.hpp>
#include <boost/test/unit_test.hpp>
#include <string>

using namespace capsa;       // NOLINT: this is a test
using namespace capsa::kvm;  // NOLINT

namespace {

// As Linux's serial_reg.h names them.
enum Port : std::uint64_t { Data, Ier, Iir, Lcr, Mcr, Lsr, Msr, Scratch, Fcr = Iir };
constexpr int kThri = 2;
constexpr int kNoInterrupt = 1;

struct Serial {
  Serial() {
    int pair[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    reader = UniqueFd(pair[0]);
    port = std::make_unique<SerialPort>(UniqueFd(pair[1]), [this] { ++interrupts; });
  }
  int in(std::uint64_t offset) {
    std::byte value{};
    port->read(offset, std::span(&value, 1));
    return std::to_integer<int>(value);
  }
  void out(std::uint64_t offset, int value) {
    const auto byte = static_cast<std::byte>(value);
    port->write(offset, std::span(&byte, 1));
  }
  std::string said() {
    std::array<char, 256> buffer{};
    const auto count = ::recv(reader.get(), buffer.data(), buffer.size(), 0);
    return count > 0 ? std::string(buffer.data(), static_cast<std::size_t>(count)) : std::string();
  }

  UniqueFd reader;
  std::unique_ptr<SerialPort> port;
  int interrupts = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(kvm_serial, Serial)

BOOST_AUTO_TEST_CASE(what_is_written_comes_out) {
  for (const char c : std::string("hello\n")) {
    BOOST_TEST((in(Lsr)&0x60) == 0x60);  // both registers of the sender are empty
    out(Data, c);
  }
  BOOST_TEST(said() == "hello\n");
  BOOST_TEST(interrupts == 0);
}

// The steps of Linux's autoconfig() and autoconfig_16550a(), drivers/tty/serial/8250/8250_port.c.
BOOST_AUTO_TEST_CASE(linux_finds_a_16550a) {
  out(Ier, 0);
  BOOST_TEST((in(Ier)&0x0f) == 0);
  out(Ier, 0x0f);
  BOOST_TEST((in(Ier)&0x0f) == 0x0f);
  out(Ier, 0);
  out(Mcr, 0x1a);  // loop back, OUT2, RTS
  BOOST_TEST((in(Msr)&0xf0) == 0x90);
  out(Mcr, 0);
  out(Lcr, 0xbf);
  out(2, 0);  // an extended features register, on other chips
  out(Lcr, 0);
  out(Fcr, 1);
  BOOST_TEST(in(Iir) >> 6 == 3);  // a 16550A
  out(Lcr, 0x80);
  BOOST_TEST(in(2) != 0);  // not a 16650
  out(Lcr, 0xbf);
  BOOST_TEST(in(2) != 0);  // and no later one
  // Not a 16750, whose FIFO of 64 bytes shows in bit 5.
  out(Lcr, 0);
  out(Fcr, 1);
  out(Fcr, 0x21);
  BOOST_TEST(in(Iir) >> 5 == 6);
  out(Lcr, 0x80);
  out(Fcr, 0x21);
  BOOST_TEST(in(Iir) >> 5 == 6);
  out(Lcr, 0);
  // Not an XScale: the bit that switches it on does not stay.
  out(Ier, in(Ier) | 0x40);
  BOOST_TEST((in(Ier)&0x40) == 0);
}

BOOST_AUTO_TEST_CASE(without_fifos_it_is_a_16450) {
  out(Fcr, 0);
  BOOST_TEST(in(Iir) == kNoInterrupt);
}

// serial8250_do_startup(): twice, so that the driver trusts the interrupt.
BOOST_AUTO_TEST_CASE(asking_for_the_senders_interrupt_brings_it_each_time) {
  for (int i = 1; i <= 2; ++i) {
    out(Ier, kThri);
    BOOST_TEST(interrupts == i);
    BOOST_TEST((in(Iir)&0x0f) == kThri);
    BOOST_TEST((in(Iir)&0x0f) == kNoInterrupt);  // reading took it back
    out(Ier, 0);
  }
}

BOOST_AUTO_TEST_CASE(a_byte_sent_brings_the_next_interrupt) {
  out(Ier, kThri);
  BOOST_TEST((in(Iir)&0x0f) == kThri);
  out(Data, 'x');
  BOOST_TEST(interrupts == 2);
  BOOST_TEST((in(Iir)&0x0f) == kThri);
}

BOOST_AUTO_TEST_CASE(nobody_is_interrupted_who_did_not_ask) {
  out(Ier, 0x0d);  // received, line status, modem status
  out(Data, 'x');
  BOOST_TEST(interrupts == 0);
  BOOST_TEST((in(Iir)&0x0f) == kNoInterrupt);
}

BOOST_AUTO_TEST_CASE(the_divisor_is_kept_behind_the_latch) {
  out(Ier, 0x05);
  out(Lcr, 0x83);
  out(Data, 0x34);
  out(Ier, 0x12);
  BOOST_TEST(in(Data) == 0x34);
  BOOST_TEST(in(Ier) == 0x12);
  out(Lcr, 0x03);
  BOOST_TEST(in(Lcr) == 0x03);
  BOOST_TEST(in(Ier) == 0x05);
  BOOST_TEST(said().empty());
  BOOST_TEST(interrupts == 0);
}

BOOST_AUTO_TEST_CASE(loopback_says_back_what_is_said_and_sends_nothing) {
  out(Mcr, 0x10);
  BOOST_TEST((in(Msr)&0xf0) == 0);
  out(Mcr, 0x11);
  BOOST_TEST((in(Msr)&0xf0) == 0x20);  // DTR as DSR
  out(Mcr, 0x14);
  BOOST_TEST((in(Msr)&0xf0) == 0x40);  // OUT1 as RI
  out(Data, 'x');
  BOOST_TEST(said().empty());
  out(Mcr, 0x0b);
  BOOST_TEST(in(Msr) == 0xb0);
}

BOOST_AUTO_TEST_CASE(there_is_a_scratch_register_and_no_input) {
  out(Scratch, 0x5a);
  BOOST_TEST(in(Scratch) == 0x5a);
  BOOST_TEST((in(Lsr)&1) == 0);
  BOOST_TEST(in(Data) == 0);
}

BOOST_AUTO_TEST_CASE(a_line_that_nobody_reads_loses_bytes_and_does_not_wait) {
  for (int i = 0; i < 100'000; ++i)
    out(Data, 'x');
  BOOST_TEST((in(Lsr)&0x60) == 0x60);
  BOOST_TEST(!said().empty());
}

BOOST_AUTO_TEST_CASE(a_line_whose_reader_went_does_no_harm) {
  reader.reset();
  out(Data, 'x');
  BOOST_TEST((in(Lsr)&0x60) == 0x60);
  SerialPort nowhere(UniqueFd{}, [] {});
  const std::byte byte{1};
  nowhere.write(Data, std::span(&byte, 1));
}

BOOST_AUTO_TEST_CASE(a_wider_read_has_one_byte_and_zeros) {
  std::array<std::byte, 4> bytes;
  bytes.fill(std::byte{0xee});
  port->read(Lsr, bytes);
  BOOST_TEST((bytes == std::array{std::byte{0x60}, std::byte{0}, std::byte{0}, std::byte{0}}));
}

BOOST_AUTO_TEST_SUITE_END()
