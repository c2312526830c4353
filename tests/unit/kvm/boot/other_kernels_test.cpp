// Files that are kernels, but not ones that we start: each gets words of its own.
#include <boost/test/unit_test.hpp>

#include "kernel_files.hpp"

namespace capsa::kvm::test {

namespace {

using namespace std::string_literals;

void refused(std::string file, std::string_view words,
             ErrorCode code = ErrorCode::UnsupportedFeature) {
  if (file.size() < 1024) file.resize(1024, '\0');
  const auto planned = plan(file);
  BOOST_TEST_REQUIRE(!planned.ok());
  BOOST_TEST((planned.error().code() == code), planned.error().what());
  BOOST_TEST(mentions(planned.error(), words), planned.error().what());
  BOOST_TEST(!planned.error().hint().empty());
}

std::string elf_for(std::uint16_t machine) {
  Vmlinux kernel;
  kernel.header.e_machine = machine;
  return kernel.bytes();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_boot_other_kernels)

BOOST_AUTO_TEST_CASE(compressed_kernels_are_to_be_unpacked) {
  refused("\x1f\x8b\x08"s, "gzip");
  refused(
      "\xfd"
      "7zXZ\0"s,
      "XZ");
  refused("\x28\xb5\x2f\xfd"s, "Zstandard");
  refused("\x04\x22\x4d\x18"s, "LZ4");
  refused("\x02\x21\x4c\x18"s, "LZ4");
  refused("BZh9"s, "bzip2");
}

BOOST_AUTO_TEST_CASE(other_architectures_are_named) {
  refused(elf_for(EM_AARCH64), "arm64");
  refused(elf_for(EM_386), "32-bit x86");
  refused(elf_for(EM_RISCV), "riscv");
  refused(elf_for(4711), "4711");
  refused(std::string(56, '\0') + "ARM\x64", "arm64");
  refused(std::string(56, '\0') + "RSC\x05", "riscv");
  Vmlinux big;
  big.header.e_ident[EI_DATA] = ELFDATA2MSB;
  refused(big.bytes(), "big-endian");
}

BOOST_AUTO_TEST_CASE(elf_files_of_another_kind_are_refused) {
  Vmlinux small;
  small.header.e_ident[EI_CLASS] = ELFCLASS32;
  refused(small.bytes(), "32-bit ELF");
  Vmlinux object;
  object.header.e_type = ET_REL;
  refused(object.bytes(), "not linked", ErrorCode::InvalidConfig);
}

BOOST_AUTO_TEST_CASE(an_efi_program_is_no_kernel_of_ours) {
  refused("MZ"s, "EFI");
}

BOOST_AUTO_TEST_CASE(anything_else_is_no_kernel) {
  refused("hello"s, "neither", ErrorCode::InvalidConfig);
  BOOST_TEST(mentions(plan("").error(), "neither"));
}

BOOST_AUTO_TEST_CASE(what_is_no_file_is_refused) {
  int ends[2];
  BOOST_TEST_REQUIRE(::pipe(ends) == 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  const auto pipe = BootFile::open(out.get(), "initrd");
  BOOST_TEST_REQUIRE(!pipe.ok());
  BOOST_TEST(mentions(pipe.error(), "the initrd is not a regular file"));
  BOOST_TEST((BootFile::open(-1, "kernel").error().code() == ErrorCode::IoError));
}

BOOST_AUTO_TEST_CASE(a_file_that_shrinks_while_it_is_read_is_refused) {
  const auto fd = file_of(std::string(100, 'x'));
  const auto file = BootFile::open(fd.get(), "kernel").value();
  BOOST_TEST_REQUIRE(::ftruncate(fd.get(), 50) == 0);
  std::array<std::byte, 100> out{};
  const auto got = file.read(0, out);
  BOOST_TEST_REQUIRE(!got.ok());
  BOOST_TEST(mentions(got.error(), "became shorter"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm::test
