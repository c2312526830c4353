#include <backends/kvm/boot/linux.hpp>
#include <boost/test/unit_test.hpp>

#include "kernel_files.hpp"

namespace capsa::kvm::test {

namespace {

struct Guest {
  std::shared_ptr<const memory::GuestMemory> memory = make_memory(64);
  UniqueFd kernel;
  UniqueFd initrd;
  BootFiles files;

  explicit Guest(const std::string& kernel_bytes) : kernel(file_of(kernel_bytes)) {
    files.kernel_fd = kernel.get();
    files.memory_mb = 64;
  }
  error refused() const {
    const auto state = load_linux(*memory, files);
    BOOST_TEST_REQUIRE(!state.ok());
    // Before anything is written.
    BOOST_TEST(memory->load<std::uint64_t>(Vmlinux::kText).value() == 0U);
    BOOST_TEST(memory->load<std::uint64_t>(kCommandLineAddress).value() == 0U);
    return state.error();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_boot_linux_refusals)

BOOST_AUTO_TEST_CASE(a_command_line_of_exactly_the_limit_is_taken) {
  Guest guest(Vmlinux().bytes());
  guest.files.command_line.assign(kCommandLineSize, 'x');
  BOOST_TEST((guest.refused().code() == ErrorCode::InvalidConfig));
  BOOST_TEST(mentions(guest.refused(), "takes 2047"));
  guest.files.command_line.pop_back();
  guest.memory->store<std::uint8_t>(kCommandLineAddress + kCommandLineSize - 1, 0xEE);
  BOOST_TEST_REQUIRE(load_linux(*guest.memory, guest.files).ok());
  BOOST_TEST(guest.memory->load<std::uint8_t>(kCommandLineAddress + kCommandLineSize - 1).value() ==
             0);
}

BOOST_AUTO_TEST_CASE(a_kernel_may_take_less_of_a_command_line) {
  BzImage kernel;
  kernel.header.cmdline_size = 5;
  Guest guest(kernel.bytes());
  guest.files.command_line = "quiet!";
  BOOST_TEST(mentions(guest.refused(), "takes 5"));
  guest.files.command_line = "quiet";
  BOOST_TEST(load_linux(*guest.memory, guest.files).ok());
}

BOOST_AUTO_TEST_CASE(a_zero_byte_in_the_command_line_is_refused) {
  Guest guest(Vmlinux().bytes());
  guest.files.command_line = std::string("quiet\0init=/bin/sh", 18);
  BOOST_TEST((guest.refused().code() == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_kernel_that_needs_more_memory_says_how_much) {
  Vmlinux kernel;
  kernel.segments[1].p_memsz = 200 * kMiB;
  const Guest guest(kernel.bytes());
  BOOST_TEST(mentions(guest.refused(), "at least 218 MiB"), guest.refused().what());
  BzImage image;
  image.header.init_size = 0x800'0000;
  const Guest other(image.bytes());
  BOOST_TEST(mentions(other.refused(), "at least 144 MiB"), other.refused().what());
}

BOOST_AUTO_TEST_CASE(a_kernel_for_addresses_without_ram_is_refused) {
  for (const std::uint64_t address : {0xC000'0000ULL, 0x1'0000'0000ULL, 0xffff'ffff'8100'0000ULL}) {
    Vmlinux kernel;
    kernel.segments[1].p_paddr = address;
    const Guest guest(kernel.bytes());
    BOOST_TEST((guest.refused().code() == ErrorCode::InvalidConfig));
    BOOST_TEST(!mentions(guest.refused(), "at least"));
  }
}

BOOST_AUTO_TEST_CASE(a_kernel_over_a_reserved_page_is_refused) {
  for (const auto& bytes : {Vmlinux().bytes(), BzImage().bytes()}) {
    Guest guest(bytes);
    guest.files.reserved = {{0x110'0000, 0x1000}};
    BOOST_TEST(mentions(guest.refused(), "reserved"));
  }
}

BOOST_AUTO_TEST_CASE(an_initrd_that_does_not_fit_beside_the_kernel_is_refused) {
  Guest guest(BzImage().bytes());
  guest.initrd = file_of("x");
  guest.files.initrd_fd = guest.initrd.get();
  BOOST_TEST_REQUIRE(::ftruncate(guest.initrd.get(), 41 * kMiB) == 0);
  BOOST_TEST(mentions(guest.refused(), "at least 65 MiB"), guest.refused().what());
  BOOST_TEST_REQUIRE(::ftruncate(guest.initrd.get(), off_t{1} << 62) == 0);
  BOOST_TEST((guest.refused().code() == ErrorCode::InvalidConfig));
  BOOST_TEST_REQUIRE(::ftruncate(guest.initrd.get(), 0) == 0);
  BOOST_TEST(mentions(guest.refused(), "the initrd is empty"));
}

BOOST_AUTO_TEST_CASE(memory_that_is_not_what_the_machine_has_is_refused) {
  Guest guest(Vmlinux().bytes());
  for (const std::uint64_t mb : {65U, 3584U}) {
    guest.files.memory_mb = mb;
    BOOST_TEST((guest.refused().code() == ErrorCode::InvalidConfig));
  }
  guest.files.memory_mb = 31;
  BOOST_TEST(mentions(guest.refused(), "31 MiB"));
}

BOOST_AUTO_TEST_CASE(files_that_are_not_there_are_refused) {
  Guest guest(Vmlinux().bytes());
  guest.files.kernel_fd = -1;
  BOOST_TEST((guest.refused().code() == ErrorCode::IoError));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm::test
