#include <backends/kvm/tables/aml.hpp>
#include <boost/test/unit_test.hpp>

#include "parsed_tables.hpp"

namespace capsa::kvm::aml {

BOOST_AUTO_TEST_SUITE(kvm_tables_aml)

BOOST_AUTO_TEST_CASE(a_length_takes_as_many_bytes_as_it_needs) {
  BOOST_TEST((length(0) == bytes({0x00})));
  BOOST_TEST((length(63) == bytes({0x3F})));
  BOOST_TEST((length(64) == bytes({0x40, 0x04})));
  BOOST_TEST((length(4095) == bytes({0x4F, 0xFF})));
  BOOST_TEST((length(4096) == bytes({0x80, 0x00, 0x01})));
  BOOST_TEST((length((1 << 20) - 1) == bytes({0x8F, 0xFF, 0xFF})));
  BOOST_TEST((length(1 << 20) == bytes({0xC0, 0x00, 0x00, 0x01})));
  BOOST_TEST((length(kMaxLength) == bytes({0xCF, 0xFF, 0xFF, 0xFF})));
}

BOOST_AUTO_TEST_CASE(a_package_length_counts_its_own_bytes) {
  BOOST_TEST((package_length(0) == bytes({0x01})));
  BOOST_TEST((package_length(62) == bytes({0x3F})));
  // 63 and its byte make 64, which takes two bytes: 65.
  BOOST_TEST((package_length(63) == bytes({0x41, 0x04})));
  BOOST_TEST((package_length(64) == bytes({0x42, 0x04})));
  BOOST_TEST((package_length(4093) == bytes({0x4F, 0xFF})));
  BOOST_TEST((package_length(4094) == bytes({0x81, 0x00, 0x01})));
  BOOST_TEST((package_length(4096) == bytes({0x83, 0x00, 0x01})));
  BOOST_TEST((package_length((1 << 20) - 4) == bytes({0x8F, 0xFF, 0xFF})));
  BOOST_TEST((package_length((1 << 20) - 3) == bytes({0xC1, 0x00, 0x00, 0x01})));
  BOOST_TEST((package_length(kMaxLength - 4) == bytes({0xCF, 0xFF, 0xFF, 0xFF})));
}

BOOST_AUTO_TEST_CASE(every_package_length_says_how_far_the_package_goes) {
  const auto decoded = [](const Code& code) {
    const auto lead = std::to_integer<std::size_t>(code[0]);
    if (lead >> 6 == 0) return lead;
    std::size_t value = lead & 0xF;
    for (std::size_t i = 1; i <= lead >> 6; ++i)
      value |= std::to_integer<std::size_t>(code[i]) << (8 * i - 4);
    return value;
  };
  for (std::size_t content = 0; content < 5000; ++content) {
    const Code code = package_length(content);
    BOOST_TEST_REQUIRE(decoded(code) == code.size() + content);
  }
}

BOOST_AUTO_TEST_CASE(an_integer_has_the_shortest_encoding) {
  BOOST_TEST((integer(0) == bytes({0x00})));
  BOOST_TEST((integer(1) == bytes({0x01})));
  BOOST_TEST((integer(2) == bytes({0x0A, 0x02})));
  BOOST_TEST((integer(0xFF) == bytes({0x0A, 0xFF})));
  BOOST_TEST((integer(0x100) == bytes({0x0B, 0x00, 0x01})));
  BOOST_TEST((integer(0xFFFF) == bytes({0x0B, 0xFF, 0xFF})));
  BOOST_TEST((integer(0x1'0000) == bytes({0x0C, 0x00, 0x00, 0x01, 0x00})));
  BOOST_TEST((integer(0xFFFF'FFFF) == bytes({0x0C, 0xFF, 0xFF, 0xFF, 0xFF})));
  BOOST_TEST(
      (integer(0x1'0000'0000) == bytes({0x0E, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00})));
}

BOOST_AUTO_TEST_CASE(a_name_is_padded_and_knows_its_root) {
  BOOST_TEST((Name("GED").encoded() == bytes({'G', 'E', 'D', '_'})));
  BOOST_TEST((Name("\\_SB").encoded() == bytes({'\\', '_', 'S', 'B', '_'})));
  BOOST_TEST((Name("\\_SB.PWRB").encoded() ==
              bytes({'\\', 0x2E, '_', 'S', 'B', '_', 'P', 'W', 'R', 'B'})));
  BOOST_TEST((Name("A.B1").encoded() == bytes({0x2E, 'A', '_', '_', '_', 'B', '1', '_', '_'})));
  BOOST_TEST((Name::numbered('V', 0).encoded() == bytes({'V', '0', '0', '0'})));
  BOOST_TEST((Name::numbered('V', 0xA1F).encoded() == bytes({'V', 'A', '1', 'F'})));
}

BOOST_AUTO_TEST_CASE(an_eisa_id_is_packed_with_its_bytes_swapped) {
  BOOST_TEST(eisa_id("PNP0501") == 0x0105'D041U);
  BOOST_TEST(eisa_id("PNP0C0C") == 0x0C0C'D041U);
}

BOOST_AUTO_TEST_CASE(data_is_encoded_byte_by_byte_as_the_specification_says) {
  BOOST_TEST((string("") == bytes({0x0D, 0x00})));
  BOOST_TEST((string("ab") == bytes({0x0D, 'a', 'b', 0x00})));
  BOOST_TEST((package({}) == bytes({0x12, 0x02, 0x00})));
  BOOST_TEST((package({integer(5), integer(0)}) == bytes({0x12, 0x05, 0x02, 0x0A, 0x05, 0x00})));
  BOOST_TEST((buffer(bytes({7, 8, 9})) == bytes({0x11, 0x06, 0x0A, 0x03, 7, 8, 9})));
  BOOST_TEST((buffer({}) == bytes({0x11, 0x02, 0x00})));
}

BOOST_AUTO_TEST_CASE(declarations_are_encoded_byte_by_byte_as_the_specification_says) {
  BOOST_TEST((define("_UID", integer(1)) == bytes({0x08, '_', 'U', 'I', 'D', 0x01})));
  BOOST_TEST((scope("\\_SB", {}) == bytes({0x10, 0x06, '\\', '_', 'S', 'B', '_'})));
  BOOST_TEST((device("RTC", integer(0)) == bytes({0x5B, 0x82, 0x06, 'R', 'T', 'C', '_', 0x00})));
  BOOST_TEST((method("_EVT", 1, true, {}) == bytes({0x14, 0x06, '_', 'E', 'V', 'T', 0x09})));
  BOOST_TEST((method("ADDR", 0, false, {}) == bytes({0x14, 0x06, 'A', 'D', 'D', 'R', 0x00})));
  BOOST_TEST((memory_region("EREG", 0xFE00'0000, 4) ==
              bytes({0x5B, 0x80, 'E', 'R', 'E', 'G', 0x00, 0x0C, 0, 0, 0, 0xFE, 0x0A, 4})));
  BOOST_TEST((register32("EREG", "EVTS") ==
              bytes({0x5B, 0x81, 0x0B, 'E', 'R', 'E', 'G', 0x43, 'E', 'V', 'T', 'S', 0x20})));
}

BOOST_AUTO_TEST_CASE(statements_are_encoded_byte_by_byte_as_the_specification_says) {
  BOOST_TEST((store(reference("EVTS"), local(0)) == bytes({0x70, 'E', 'V', 'T', 'S', 0x60})));
  BOOST_TEST((bit_and(local(7), integer(2)) == bytes({0x7B, 0x67, 0x0A, 0x02, 0x00})));
  BOOST_TEST((when(local(0), notify("PWRB", 0x80)) ==
              bytes({0xA0, 0x09, 0x60, 0x86, 'P', 'W', 'R', 'B', 0x0A, 0x80})));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm::aml
