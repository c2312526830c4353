#include <boost/test/unit_test.hpp>
#include <functional>

#include "kernel_files.hpp"

namespace capsa::kvm::test {

namespace {

result<KernelPlan> bent(const std::function<void(setup_header&)>& bend) {
  BzImage kernel;
  bend(kernel.header);
  return plan(kernel.bytes());
}

void refused(const std::function<void(setup_header&)>& bend, ErrorCode code,
             std::string_view words) {
  const auto planned = bent(bend);
  BOOST_TEST_REQUIRE(!planned.ok());
  BOOST_TEST((planned.error().code() == code), planned.error().what());
  BOOST_TEST(mentions(planned.error(), words), planned.error().what());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_boot_bzimage)

BOOST_AUTO_TEST_CASE(a_bzimage_lies_at_its_preferred_address_with_room_to_unpack) {
  const BzImage kernel;
  const auto planned = plan(kernel.bytes()).value();
  BOOST_TEST(planned.entry == BzImage::kAddress + 0x200);
  BOOST_TEST((planned.room == AddressRange{BzImage::kAddress, BzImage::kRoom}));
  BOOST_TEST_REQUIRE(planned.pieces.size() == 1U);
  BOOST_TEST(planned.pieces[0].offset == 1024U);
  BOOST_TEST(planned.pieces[0].file_size == kernel.code.size());
  BOOST_TEST(planned.pieces[0].memory_size == kernel.code.size());
  BOOST_TEST(planned.initrd_limit == 0x8000'0000U);
  BOOST_TEST(planned.command_line_limit == 2047U);
  BOOST_TEST(planned.setup_header.size() == sizeof(setup_header));
}

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_is_refused) {
  const auto whole = BzImage().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto planned = plan(whole.substr(0, size));
    BOOST_TEST_REQUIRE(!planned.ok(), "cut to " << size);
    BOOST_TEST((planned.error().code() == ErrorCode::InvalidConfig), planned.error().what());
  }
}

BOOST_AUTO_TEST_CASE(any_byte_of_the_header_may_be_anything) {
  const auto whole = BzImage().bytes();
  for (std::size_t at = 0x1f1; at < 0x1f1 + sizeof(setup_header); ++at) {
    for (const char value : {'\0', '\1', '\x7f', '\x80', '\xff'}) {
      auto file = whole;
      file[at] = value;
      const auto planned = plan(file);
      if (!planned) continue;
      BOOST_TEST(planned->room.address >= kHighMemoryStart);
      BOOST_TEST(planned->room.size >= planned->pieces[0].memory_size);
      BOOST_TEST(planned->entry - planned->room.address < planned->room.size);
    }
  }
}

BOOST_AUTO_TEST_CASE(zero_sectors_of_set_up_code_are_four) {
  BzImage kernel;
  kernel.header.setup_sects = 0;
  auto bytes = kernel.bytes();
  bytes.insert(1024, std::string(std::size_t{3} * 512, '\0'));
  BOOST_TEST(plan(bytes).value().pieces[0].offset == 5U * 512);
}

BOOST_AUTO_TEST_CASE(an_address_is_aligned_as_the_kernel_wants) {
  const auto moved = bent([](auto& header) { header.pref_address = 0x100'0001; }).value();
  BOOST_TEST(moved.room.address == 0x120'0000U);
  const auto fixed = bent([](auto& header) {
                       header.pref_address = 0x100'1000;
                       header.relocatable_kernel = 0;
                     }).value();
  BOOST_TEST(fixed.room.address == 0x100'1000U);
}

BOOST_AUTO_TEST_CASE(a_room_smaller_than_the_code_is_as_large_as_the_code) {
  const auto planned = bent([](auto& header) { header.init_size = 1; }).value();
  BOOST_TEST(planned.room.size == BzImage().code.size());
}

BOOST_AUTO_TEST_CASE(what_lies_behind_the_headers_end_is_not_taken) {
  // Protocol 2.12: the header ends before kernel_info_offset.
  const auto planned = bent([](auto& header) {
                         header.version = 0x020c;
                         header.jump = 0x66EB;
                         header.kernel_info_offset = 0xffff'ffff;
                       }).value();
  BOOST_TEST(planned.setup_header.size() == sizeof(setup_header) - 4);
}

BOOST_AUTO_TEST_CASE(limits_of_ours_hold_where_the_kernel_has_none) {
  const auto planned = bent([](auto& header) {
                         header.initrd_addr_max = 0xffff'ffff;
                         header.cmdline_size = 0xffff'ffff;
                       }).value();
  BOOST_TEST(planned.initrd_limit == kHoleStart);
  BOOST_TEST(planned.command_line_limit == kCommandLineSize - 1);
}

BOOST_AUTO_TEST_CASE(damaged_headers_are_refused_with_their_fault) {
  using Header = setup_header;
  constexpr auto kDamaged = ErrorCode::InvalidConfig;
  refused([](Header& header) { header.boot_flag = 0; }, kDamaged, "boot sector");
  refused([](Header& header) { header.loadflags = 0; }, kDamaged, "below 1 MiB");
  refused([](Header& header) { header.jump = 0x65EB; }, kDamaged, "set-up header is cut");
  refused([](Header& header) { header.kernel_alignment = 0; }, kDamaged, "power of two");
  refused([](Header& header) { header.kernel_alignment = 0x30'0000; }, kDamaged, "power of two");
  refused([](Header& header) { header.syssize += 1; }, kDamaged, "cut short");
  refused([](Header& header) { header.syssize = 0xffff'ffff; }, kDamaged, "cut short");
  refused([](Header& header) { header.setup_sects = 255; }, kDamaged, "cut short");
}

BOOST_AUTO_TEST_CASE(a_kernel_that_cannot_be_entered_says_why) {
  using Header = setup_header;
  constexpr auto kOther = ErrorCode::UnsupportedFeature;
  refused([](Header& header) { header.version = 0x020b; }, kOther, "older than 2.12");
  refused([](Header& header) { header.xloadflags = 0; }, kOther, "no 64-bit entry");
  for (const std::uint64_t address : {0ULL, 0xFFFFFULL, 0xC000'0000ULL, ~0ULL})
    refused([&](Header& header) { header.pref_address = address; }, kOther, "1 MiB");
}

BOOST_AUTO_TEST_CASE(an_image_without_code_is_refused) {
  BzImage kernel;
  kernel.header.syssize = 0;
  kernel.code.resize(0x200);
  BOOST_TEST(mentions(plan(kernel.bytes()).error(), "no code"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm::test
