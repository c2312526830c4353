#include <backends/kvm/boot/linux.hpp>
#include <boost/test/unit_test.hpp>

#include "kernel_files.hpp"

namespace capsa::kvm::test {

namespace {

using Memory = memory::GuestMemory;

struct Files {
  UniqueFd kernel;
  UniqueFd initrd = file_of("the files of the guest");
  BootFiles boot(std::uint64_t memory_mb) const {
    BootFiles files;
    files.kernel_fd = kernel.get();
    files.initrd_fd = initrd.get();
    files.command_line = "console=ttyS0 quiet";
    files.rsdp = kAcpiAddress;
    files.memory_mb = memory_mb;
    files.reserved = {{24 * kMiB + 0x1000, 0x1000}};
    return files;
  }
};

std::string command_line_at(const Memory& memory, GuestAddress address) {
  const auto text = text_at(memory, address, 64);
  return text.substr(0, text.find('\0'));
}

std::uint64_t u64(const Memory& memory, GuestAddress at) {
  return memory.load<std::uint64_t>(at).value();
}
std::uint32_t u32(const Memory& memory, GuestAddress at) {
  return memory.load<std::uint32_t>(at).value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_boot_linux)

BOOST_AUTO_TEST_CASE(a_vmlinux_is_in_memory_as_its_segments_say) {
  const auto memory = make_memory(64);
  const Vmlinux kernel;
  const Files files{file_of(kernel.bytes())};
  // Left by a machine that ran before.
  const auto bss = memory->slice(Vmlinux::kData + kernel.data.size(), Vmlinux::kBss).value();
  std::memset(bss.data(), 0xEE, bss.size());
  memory->store<std::uint8_t>(Vmlinux::kData + kernel.data.size() + Vmlinux::kBss, 0xEE);
  BOOST_TEST_REQUIRE(load_linux(*memory, files.boot(64)).ok());
  BOOST_TEST(text_at(*memory, Vmlinux::kText, kernel.text.size()) == kernel.text);
  BOOST_TEST(text_at(*memory, Vmlinux::kData, kernel.data.size()) == kernel.data);
  BOOST_TEST(text_at(*memory, Vmlinux::kData + kernel.data.size(), Vmlinux::kBss) ==
             std::string(Vmlinux::kBss, '\0'));
  BOOST_TEST(
      memory->load<std::uint8_t>(Vmlinux::kData + kernel.data.size() + Vmlinux::kBss).value() ==
      0xEE);
}

BOOST_AUTO_TEST_CASE(memory_that_is_said_to_be_fresh_is_not_zeroed_again) {
  const auto memory = make_memory(64);
  const Vmlinux kernel;
  const Files files{file_of(kernel.bytes())};
  const auto bss = memory->slice(Vmlinux::kData + kernel.data.size(), Vmlinux::kBss).value();
  // To be seen; a fresh one has zeros, and pages that nobody has touched.
  std::memset(bss.data(), 0xEE, bss.size());
  auto boot = files.boot(64);
  boot.fresh = true;
  BOOST_TEST_REQUIRE(load_linux(*memory, boot).ok());
  BOOST_TEST(text_at(*memory, Vmlinux::kData, kernel.data.size()) == kernel.data);
  BOOST_TEST(text_at(*memory, Vmlinux::kData + kernel.data.size(), Vmlinux::kBss) ==
             std::string(Vmlinux::kBss, '\xEE'));
}

BOOST_AUTO_TEST_CASE(a_vmlinux_is_entered_by_pvh) {
  const auto memory = make_memory(64);
  const Files files{file_of(Vmlinux().bytes())};
  const auto state = load_linux(*memory, files.boot(64)).value();
  BOOST_TEST((state.mode == BootMode::ProtectedPvh));
  BOOST_TEST(state.instruction_pointer == Vmlinux::kText + 8);
  BOOST_TEST(state.start_info_or_params == kStartInfoAddress);
  BOOST_TEST(state.page_tables == 0U);
  BOOST_TEST(state.cr0 == 1U);
  BOOST_TEST(state.cr4 == 0U);
  BOOST_TEST(state.efer == 0U);
  BOOST_TEST((memory->load<Gdt>(kGdtAddress).value() == make_gdt(BootMode::ProtectedPvh)));
}

BOOST_AUTO_TEST_CASE(the_start_info_names_memory_initrd_command_line_and_rsdp) {
  const auto memory = make_memory(64);
  const Files files{file_of(Vmlinux().bytes())};
  const auto boot = files.boot(64);
  const auto at = load_linux(*memory, boot).value().start_info_or_params;
  BOOST_TEST(u32(*memory, at) == 0x336EC578U);
  BOOST_TEST(u32(*memory, at + 4) == 1U);
  BOOST_TEST(u32(*memory, at + 8) == 0U);
  BOOST_TEST(u32(*memory, at + 12) == 1U);
  BOOST_TEST(command_line_at(*memory, u64(*memory, at + 24)) == boot.command_line);
  BOOST_TEST(u64(*memory, at + 32) == kAcpiAddress);
  const auto module = u64(*memory, at + 16);
  BOOST_TEST(u64(*memory, module) == 64 * kMiB - 4096);
  BOOST_TEST(text_at(*memory, u64(*memory, module), u64(*memory, module + 8)) ==
             "the files of the guest");
  const auto map = memory_map(64, boot.reserved).value();
  BOOST_TEST_REQUIRE(u32(*memory, at + 48) == map.size());
  for (std::size_t i = 0; i < map.size(); ++i) {
    const auto entry = u64(*memory, at + 40) + 24 * i;
    BOOST_TEST(u64(*memory, entry) == map[i].address);
    BOOST_TEST(u64(*memory, entry + 8) == map[i].size);
    BOOST_TEST(u32(*memory, entry + 16) == static_cast<std::uint32_t>(map[i].type));
  }
}

BOOST_AUTO_TEST_CASE(without_initrd_and_rsdp_nothing_is_named) {
  const auto memory = make_memory(64);
  for (const auto& bytes : {Vmlinux().bytes(), BzImage().bytes()}) {
    const Files files{file_of(bytes)};
    auto boot = files.boot(64);
    boot.initrd_fd = -1;
    boot.rsdp.reset();
    boot.command_line.clear();
    const auto state = load_linux(*memory, boot).value();
    if (state.mode == BootMode::ProtectedPvh) {
      BOOST_TEST(u32(*memory, kStartInfoAddress + 12) == 0U);
      BOOST_TEST(u64(*memory, kStartInfoAddress + 16) == 0U);
      BOOST_TEST(u64(*memory, kStartInfoAddress + 32) == 0U);
    } else {
      const auto params = memory->load<boot_params>(kZeroPageAddress).value();
      BOOST_TEST(params.hdr.ramdisk_size == 0U);
      BOOST_TEST(params.hdr.ramdisk_image == 0U);
      BOOST_TEST(params.acpi_rsdp_addr == 0U);
    }
    BOOST_TEST(command_line_at(*memory, kCommandLineAddress).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_bzimage_is_entered_in_64_bit_mode_on_identity_page_tables) {
  const auto memory = make_memory(64);
  const BzImage kernel;
  const Files files{file_of(kernel.bytes())};
  const auto state = load_linux(*memory, files.boot(64)).value();
  BOOST_TEST((state.mode == BootMode::Long64));
  BOOST_TEST(text_at(*memory, state.instruction_pointer, 12) == "64-bit entry");
  BOOST_TEST(text_at(*memory, BzImage::kAddress, kernel.code.size()) == kernel.code);
  BOOST_TEST(state.start_info_or_params == kZeroPageAddress);
  BOOST_TEST(state.cr0 == 0x8000'0001U);
  BOOST_TEST(state.cr4 == 0x20U);
  BOOST_TEST(state.efer == 0x500U);
  BOOST_TEST((memory->load<Gdt>(kGdtAddress).value() == make_gdt(BootMode::Long64)));
  // As the CPU walks them, for the first and the last of each.
  for (std::uint64_t address = 0; address < kHoleEnd; address += 0x20'0000) {
    constexpr std::uint64_t kTable = ~std::uint64_t{0xfff};
    const auto top = u64(*memory, state.page_tables + 8 * (address >> 39));
    BOOST_TEST_REQUIRE((top & 0xfff) == 3U);
    const auto middle = u64(*memory, (top & kTable) + 8 * (address >> 30 & 0x1ff));
    BOOST_TEST_REQUIRE((middle & 0xfff) == 3U);
    const auto page = u64(*memory, (middle & kTable) + 8 * (address >> 21 & 0x1ff));
    BOOST_TEST_REQUIRE(page == (address | 0x83));
  }
  BOOST_TEST(u64(*memory, state.page_tables + 8) == 0U);
}

BOOST_AUTO_TEST_CASE(the_zero_page_has_the_kernels_header_and_the_loaders_answers) {
  const auto memory = make_memory(64);
  BzImage kernel;
  // What a file may not decide.
  kernel.header.setup_data = 0x1234;
  kernel.header.type_of_loader = 0x21;
  kernel.header.loadflags |= CAN_USE_HEAP | KASLR_FLAG | QUIET_FLAG;
  kernel.header.ramdisk_image = 1;
  const Files files{file_of(kernel.bytes())};
  const auto boot = files.boot(64);
  memory->store<std::uint64_t>(kZeroPageAddress + 0x58, 0xEEEE);
  BOOST_TEST_REQUIRE(load_linux(*memory, boot).ok());
  const auto params = memory->load<boot_params>(kZeroPageAddress).value();
  BOOST_TEST(params.tboot_addr == 0U);
  BOOST_TEST(params.sentinel == 0);
  BOOST_TEST(params.hdr.boot_flag == 0xAA55);
  BOOST_TEST(params.hdr.header == 0x53726448U);
  BOOST_TEST(params.hdr.version == 0x020f);
  BOOST_TEST(params.hdr.init_size == BzImage::kRoom);
  BOOST_TEST(params.hdr.type_of_loader == 0xff);
  BOOST_TEST(params.hdr.loadflags == LOADED_HIGH);
  BOOST_TEST(params.hdr.setup_data == 0U);
  BOOST_TEST(params.hdr.code32_start == BzImage::kAddress);
  BOOST_TEST(params.hdr.cmd_line_ptr == kCommandLineAddress);
  BOOST_TEST(command_line_at(*memory, params.hdr.cmd_line_ptr) == boot.command_line);
  BOOST_TEST(params.acpi_rsdp_addr == kAcpiAddress);
  BOOST_TEST(text_at(*memory, params.hdr.ramdisk_image, params.hdr.ramdisk_size) ==
             "the files of the guest");
  BOOST_TEST(params.ext_ramdisk_image == 0U);
  const auto map = memory_map(64, boot.reserved).value();
  BOOST_TEST_REQUIRE(params.e820_entries == map.size());
  for (std::size_t i = 0; i < map.size(); ++i) {
    const auto entry = params.e820_table[i];
    BOOST_TEST((entry.addr == map[i].address && entry.size == map[i].size &&
                entry.type == static_cast<std::uint32_t>(map[i].type)));
  }
}

BOOST_AUTO_TEST_CASE(machines_of_every_size_are_told_of_their_memory) {
  for (const std::uint64_t mb : {256U, 3072U, 3584U, 65536U}) {
    const auto memory = make_memory(mb);
    const Files pvh{file_of(Vmlinux().bytes())};
    BOOST_TEST_REQUIRE(load_linux(*memory, pvh.boot(mb)).ok());
    const auto count = u32(*memory, kStartInfoAddress + 48);
    const auto last = u64(*memory, kStartInfoAddress + 40) + 24 * (count - 1);
    BOOST_TEST(u64(*memory, last) + u64(*memory, last + 8) == ram_ranges(mb).back().end());
    const Files bzimage{file_of(BzImage().bytes())};
    BOOST_TEST_REQUIRE(load_linux(*memory, bzimage.boot(mb)).ok());
    const auto params = memory->load<boot_params>(kZeroPageAddress).value();
    const auto entry = params.e820_table[params.e820_entries - 1];
    BOOST_TEST(entry.addr + entry.size == ram_ranges(mb).back().end());
    BOOST_TEST(params.hdr.ramdisk_image < 0x8000'0000U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm::test
