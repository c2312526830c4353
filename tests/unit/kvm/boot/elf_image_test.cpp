#include <backends/kvm/boot/elf_notes.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <limits>
#include <tests/support/tiny_kernel.hpp>

#include "kernel_files.hpp"

namespace capsa::kvm::test {

namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

std::optional<std::uint64_t> entry_in(const std::string& notes, std::uint64_t alignment = 4) {
  return find_pvh_entry(std::as_bytes(std::span(notes)), alignment);
}

/// What becomes of a vmlinux with something bent.
error bent(const std::function<void(Vmlinux&)>& bend) {
  Vmlinux kernel;
  bend(kernel);
  const auto planned = plan(kernel.bytes());
  BOOST_TEST_REQUIRE(!planned.ok());
  return planned.error();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_boot_elf_image)

BOOST_AUTO_TEST_CASE(a_vmlinux_lies_where_its_program_headers_say) {
  const Vmlinux kernel;
  const auto planned = plan(kernel.bytes()).value();
  BOOST_TEST(planned.entry == Vmlinux::kText + 8);
  BOOST_TEST(planned.setup_header.empty());
  BOOST_TEST(planned.pieces.size() == 2U);
  BOOST_TEST(planned.room.address == Vmlinux::kText);
  BOOST_TEST(planned.room.end() == Vmlinux::kData + kernel.data.size() + Vmlinux::kBss);
  BOOST_TEST(planned.initrd_limit == kHoleStart);
}

BOOST_AUTO_TEST_CASE(the_kernels_of_the_other_tests_are_taken) {
  const auto planned = plan(tests::tiny_kernel::idle()).value();
  BOOST_TEST(planned.entry == tests::tiny_kernel::kLoadAddress);
}

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_is_refused) {
  const auto whole = Vmlinux().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto planned = plan(whole.substr(0, size));
    BOOST_TEST_REQUIRE(!planned.ok(), "cut to " << size);
    BOOST_TEST((planned.error().code() == ErrorCode::InvalidConfig), planned.error().what());
  }
}

BOOST_AUTO_TEST_CASE(any_byte_of_the_headers_may_be_anything) {
  const auto whole = Vmlinux().bytes();
  const std::size_t headers = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr);
  for (std::size_t at = 0; at < headers; ++at) {
    for (const char value : {'\0', '\1', '\x7f', '\x80', '\xff'}) {
      auto file = whole;
      file[at] = value;
      const auto planned = plan(file);
      if (!planned) continue;
      BOOST_TEST(planned->room.address >= kHighMemoryStart);
      BOOST_TEST(planned->room.end() >= planned->room.address);
      BOOST_TEST(planned->entry - planned->room.address < planned->room.size);
    }
  }
}

BOOST_AUTO_TEST_CASE(offsets_and_addresses_that_wrap_are_refused) {
  for (const std::uint64_t value : {kMax, kMax - 15, kMax - 0x200, std::uint64_t{1} << 63}) {
    for (std::size_t i = 0; i < 3; ++i) {
      bent([&](Vmlinux& kernel) { kernel.segments[i].p_offset = value; });
      bent([&](Vmlinux& kernel) { kernel.segments[i].p_filesz = value; });
      bent([&](Vmlinux& kernel) {
        kernel.segments[i].p_filesz = kernel.segments[i].p_memsz = value;
      });
    }
    bent([&](Vmlinux& kernel) { kernel.header.e_phoff = value; });
  }
  BOOST_TEST(mentions(bent([](Vmlinux& kernel) { kernel.segments[1].p_paddr = kMax - 15; }),
                      "beyond all addresses"));
  BOOST_TEST(mentions(bent([](Vmlinux& kernel) { kernel.segments[1].p_memsz = kMax; }),
                      "beyond all addresses"));
}

BOOST_AUTO_TEST_CASE(nothing_is_loaded_below_1_mib) {
  for (const std::uint64_t address : {0ULL, 0x6000ULL, 0xFFFFFULL}) {
    const auto what = bent([&](Vmlinux& kernel) { kernel.segments[1].p_paddr = address; });
    BOOST_TEST((what.code() == ErrorCode::UnsupportedFeature));
    BOOST_TEST(mentions(what, "below the address of 1 MiB"));
  }
}

BOOST_AUTO_TEST_CASE(segments_that_overlap_are_refused) {
  BOOST_TEST(
      mentions(bent([](Vmlinux& kernel) { kernel.segments[1].p_paddr = Vmlinux::kText + 0x1ff; }),
               "overlap"));
  BOOST_TEST(
      mentions(bent([](Vmlinux& kernel) { kernel.segments[1].p_paddr = Vmlinux::kText - 0x1000; }),
               "overlap"));
}

BOOST_AUTO_TEST_CASE(a_segment_with_more_bytes_than_room_is_refused) {
  BOOST_TEST(mentions(bent([](Vmlinux& kernel) { kernel.segments[0].p_memsz = 1; }),
                      "more bytes than room"));
}

BOOST_AUTO_TEST_CASE(a_kernel_without_segments_has_nothing_to_load) {
  BOOST_TEST(mentions(bent([](Vmlinux& kernel) {
                        kernel.segments[0].p_type = PT_NULL;
                        kernel.segments[1].p_memsz = kernel.segments[1].p_filesz = 0;
                      }),
                      "nothing to load"));
}

BOOST_AUTO_TEST_CASE(more_headers_than_a_kernel_has_are_refused) {
  for (const std::uint16_t count : {0, 65, 0xffff})
    bent([&](Vmlinux& kernel) { kernel.header.e_phnum = count; });
  bent([](Vmlinux& kernel) { kernel.header.e_phentsize = 55; });
}

BOOST_AUTO_TEST_CASE(notes_larger_than_any_kernels_are_refused) {
  BOOST_TEST(mentions(bent([](Vmlinux& kernel) {
                        kernel.notes.resize(64 * 1024 + 1);
                        kernel.segments[2].p_filesz = kernel.notes.size();
                      }),
                      "notes"));
}

BOOST_AUTO_TEST_CASE(a_kernel_without_pvh_entry_says_how_to_get_one) {
  const auto what = bent([](Vmlinux& kernel) { kernel.notes[8] = 17; });
  BOOST_TEST((what.code() == ErrorCode::UnsupportedFeature));
  BOOST_TEST(mentions(what, "no PVH entry"));
  BOOST_TEST(mentions(what, "CONFIG_PVH=y"));
}

BOOST_AUTO_TEST_CASE(a_pvh_entry_outside_of_what_is_loaded_is_refused) {
  const auto end = Vmlinux::kText + Vmlinux().text.size();
  for (const std::uint64_t entry : {std::uint64_t{0}, Vmlinux::kText - 1, end, kMax,
                                    // In the .bss, where there are only zeros.
                                    Vmlinux::kData + 0x100}) {
    BOOST_TEST(mentions(bent([&](Vmlinux& kernel) { kernel.notes = pvh_note(entry); }),
                        "PVH entry lies outside"));
  }
}

BOOST_AUTO_TEST_CASE(the_note_is_found_among_others) {
  const std::string xen("Xen\0", 4);
  const std::string before =
      note("GNU", 3, "0123456789") + note(xen, 6, "linux") + note("", 18, "");
  BOOST_TEST(entry_in(before + pvh_note(7)).value() == 7U);
  BOOST_TEST((entry_in(note(xen, 18, std::string("\4\3\2\1", 4))).value() == 0x01020304U));
  BOOST_TEST(entry_in(note(std::string("Linux\0\0", 7), 1, "abc", 8) + pvh_note(9, 8), 8).value() ==
             9U);
  BOOST_TEST(!entry_in(note(xen, 18, "12345")).has_value());
  BOOST_TEST(!entry_in(note("Xen", 18, "12345678")).has_value());
  BOOST_TEST(!entry_in(note(xen, 17, "12345678")).has_value());
  BOOST_TEST(!entry_in({}).has_value());
}

BOOST_AUTO_TEST_CASE(notes_cut_anywhere_end_the_search) {
  const std::string notes = note("GNU", 3, "0123456789") + pvh_note(7);
  for (std::size_t size = 0; size < notes.size(); ++size)
    BOOST_TEST(!entry_in(notes.substr(0, size)).has_value());
}

BOOST_AUTO_TEST_CASE(sizes_in_notes_that_wrap_end_the_search) {
  for (const std::size_t at : {0U, 4U}) {
    for (const std::uint32_t size : {0xffff'ffffU, 0xffff'fffdU, 0x8000'0000U, 20U}) {
      auto notes = note("GNU", 3, "0123456789") + pvh_note(7);
      std::memcpy(notes.data() + at, &size, sizeof size);
      BOOST_TEST(!entry_in(notes).has_value());
      BOOST_TEST(!entry_in(notes, 8).has_value());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm::test
