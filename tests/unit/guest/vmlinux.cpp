#include <boost/test/unit_test.hpp>
#include <tests/unit/guest/samples.hpp>
#include <tools/guest/vmlinux.hpp>

using namespace capsa;
using namespace capsa::guest;
using namespace capsa::guest::samples;

namespace {

constexpr std::size_t kLimit = std::size_t{20} * 1024 * 1024;

ErrorCode code_of(const result<std::string>& outcome) {
  BOOST_REQUIRE(!outcome.ok());
  return outcome.error().code();
}

std::string with_size(const std::string& packed, const std::string& data) {
  return packed + size_le(data.size());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(unpacking_a_kernel)

BOOST_AUTO_TEST_CASE(each_known_compression_gives_the_elf_file_back) {
  const auto elf = make_vmlinux(100'000);
  for (const auto& payload : {with_size(pack_lz4(elf), elf), with_size(pack_lz4(elf, 4096), elf),
                              with_size(pack_xz(elf), elf), pack_gzip(elf)}) {
    const auto unpacked = unpack_vmlinux(make_bzimage(payload));
    BOOST_REQUIRE_MESSAGE(unpacked.ok(), (unpacked.ok() ? "" : unpacked.error().what()));
    BOOST_TEST((*unpacked == elf));
  }
}

BOOST_AUTO_TEST_CASE(blocks_larger_than_eight_megabytes_together_are_joined) {
  const auto elf = make_vmlinux(9 * 1024 * 1024);
  const auto unpacked = unpack_vmlinux(make_bzimage(with_size(pack_lz4(elf), elf)));
  BOOST_REQUIRE(unpacked.ok());
  BOOST_TEST((*unpacked == elf));
}

BOOST_AUTO_TEST_CASE(no_setup_sectors_mean_four) {
  const auto elf = make_vmlinux();
  BOOST_TEST(unpack_vmlinux(make_bzimage(pack_gzip(elf), 0)).ok());
}

BOOST_AUTO_TEST_CASE(an_elf_file_is_taken_as_it_is) {
  const auto elf = make_vmlinux();
  const auto unpacked = unpack_vmlinux(elf);
  BOOST_REQUIRE(unpacked.ok());
  BOOST_TEST((*unpacked == elf));
}

BOOST_AUTO_TEST_CASE(an_image_cut_short_at_any_byte_is_refused) {
  const auto elf = make_vmlinux();
  const auto image = make_bzimage(with_size(pack_lz4(elf), elf));
  const std::size_t end = image.size() - 64;  // the padding behind the payload may be missing
  for (std::size_t size = 0; size < end; ++size) {
    const auto outcome = unpack_vmlinux(std::string_view(image).substr(0, size));
    BOOST_TEST_REQUIRE(!outcome.ok(), "accepted with " << size << " bytes");
    BOOST_TEST_REQUIRE((outcome.error().code() == ErrorCode::InvalidConfig));
  }
  BOOST_TEST(unpack_vmlinux(std::string_view(image).substr(0, end)).ok());
}

BOOST_AUTO_TEST_CASE(an_elf_file_cut_short_at_any_byte_is_refused) {
  const auto elf = make_vmlinux();
  for (std::size_t size = 0; size < elf.size(); ++size)
    BOOST_TEST_REQUIRE(!unpack_vmlinux(std::string_view(elf).substr(0, size)).ok(),
                       "accepted with " << size << " bytes");
}

BOOST_AUTO_TEST_CASE(a_payload_outside_the_file_is_refused) {
  const auto elf = make_vmlinux();
  const auto image = make_bzimage(pack_gzip(elf));
  for (const std::uint32_t value : {0x10000U, 0x7fffffffU, 0xffffffffU}) {
    auto offset = image;
    put<std::uint32_t>(offset, 0x248, value);
    BOOST_TEST((code_of(unpack_vmlinux(offset)) == ErrorCode::InvalidConfig));
    auto length = image;
    put<std::uint32_t>(length, 0x24c, value);
    BOOST_TEST((code_of(unpack_vmlinux(length)) == ErrorCode::InvalidConfig));
  }
  auto empty = image;
  put<std::uint32_t>(empty, 0x24c, 0);
  BOOST_TEST((code_of(unpack_vmlinux(empty)) == ErrorCode::InvalidConfig));
  auto sectors = image;
  put<std::uint8_t>(sectors, 0x1f1, 255);
  BOOST_TEST((code_of(unpack_vmlinux(sectors)) == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_boot_protocol_without_a_payload_is_refused) {
  auto image = make_bzimage(pack_gzip(make_vmlinux()));
  put<std::uint16_t>(image, 0x206, 0x0207);
  BOOST_TEST((code_of(unpack_vmlinux(image)) == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_decompression_bomb_stops_at_the_limit) {
  const std::string zeros(kLimit + 1, '\0');
  // The size behind the data lies, so it is the data itself that passes the limit.
  for (const auto& payload :
       {pack_lz4(zeros) + size_le(100), pack_xz(zeros) + size_le(100), pack_gzip(zeros)})
    BOOST_TEST(
        (code_of(unpack_vmlinux(make_bzimage(payload), kLimit)) == ErrorCode::ResourceExhausted));
}

BOOST_AUTO_TEST_CASE(a_claimed_size_beyond_the_limit_is_refused_before_unpacking) {
  const auto payload = pack_lz4("small") + size_le(0xffffffff);
  BOOST_TEST(
      (code_of(unpack_vmlinux(make_bzimage(payload), kLimit)) == ErrorCode::ResourceExhausted));
}

BOOST_AUTO_TEST_CASE(data_of_exactly_the_limit_is_accepted) {
  const auto elf = make_vmlinux(5000);
  for (const auto& payload :
       {with_size(pack_lz4(elf), elf), with_size(pack_xz(elf), elf), pack_gzip(elf)}) {
    BOOST_TEST(unpack_vmlinux(make_bzimage(payload), elf.size()).ok());
    BOOST_TEST((code_of(unpack_vmlinux(make_bzimage(payload), elf.size() - 1)) ==
                ErrorCode::ResourceExhausted));
  }
}

BOOST_AUTO_TEST_CASE(another_size_than_the_one_behind_the_data_is_damage) {
  const auto elf = make_vmlinux();
  for (const auto& packed : {pack_lz4(elf), pack_xz(elf)})
    BOOST_TEST((code_of(unpack_vmlinux(make_bzimage(packed + size_le(elf.size() + 1)))) ==
                ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(an_unknown_compression_is_named) {
  const auto outcome = unpack_vmlinux(make_bzimage("\x28\xb5\x2f\xfd and more"));
  BOOST_TEST((code_of(outcome) == ErrorCode::UnsupportedFeature));
  BOOST_TEST(outcome.error().message().find("zstd") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_kernel_without_the_pvh_entry_is_refused_with_what_to_do) {
  for (const auto& notes : {std::string(), make_note("Xen", 6, "linux"),
                            make_note("GNU", 18, "four"), make_note("Xenon", 18, "four")}) {
    const auto outcome = unpack_vmlinux(make_elf({{1, "code"}, {4, notes}}));
    BOOST_TEST((code_of(outcome) == ErrorCode::UnsupportedFeature));
    BOOST_TEST(outcome.error().hint().find("CONFIG_PVH") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(another_machines_program_is_refused) {
  auto elf = make_vmlinux();
  put<std::uint16_t>(elf, 18, 183);  // AArch64
  BOOST_TEST((code_of(unpack_vmlinux(elf)) == ErrorCode::InvalidConfig));
  elf = make_vmlinux();
  put<std::uint8_t>(elf, 4, 1);  // 32 bit
  BOOST_TEST((code_of(unpack_vmlinux(elf)) == ErrorCode::InvalidConfig));
  elf = make_vmlinux();
  put<std::uint16_t>(elf, 16, 1);  // an object file
  BOOST_TEST((code_of(unpack_vmlinux(elf)) == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_segment_outside_the_file_is_refused) {
  auto elf = make_vmlinux();
  put<std::uint64_t>(elf, 64 + 8, ~std::uint64_t{0});
  BOOST_TEST((code_of(unpack_vmlinux(elf)) == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_SUITE_END()
