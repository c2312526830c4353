#include <backends/kvm/boot/gdt.hpp>
#include <boost/test/unit_test.hpp>

namespace capsa::kvm::test {

BOOST_AUTO_TEST_SUITE(kvm_boot_gdt)

BOOST_AUTO_TEST_CASE(pvh_starts_with_flat_32_bit_segments) {
  const auto gdt = make_gdt(BootMode::ProtectedPvh);
  const auto code = segment_of(gdt, kCodeSelector);
  BOOST_TEST((code == Segment{.base = 0,
                              .limit = 0xffff'ffff,
                              .selector = kCodeSelector,
                              .type = 0xB,
                              .code_or_data = true,
                              .privilege = 0,
                              .present = true,
                              .long_mode = false,
                              .default_big = true,
                              .granularity = true,
                              .available = false}));
}

BOOST_AUTO_TEST_CASE(long_mode_starts_with_a_64_bit_code_segment) {
  const auto code = segment_of(make_gdt(BootMode::Long64), kCodeSelector);
  BOOST_TEST(code.long_mode);
  BOOST_TEST(!code.default_big);
  BOOST_TEST(code.type == 0xB);
  BOOST_TEST(code.limit == 0xffff'ffff);
}

BOOST_AUTO_TEST_CASE(data_is_flat_and_the_task_is_busy_in_either_mode) {
  for (const auto mode : {BootMode::ProtectedPvh, BootMode::Long64}) {
    const auto gdt = make_gdt(mode);
    const auto data = segment_of(gdt, kDataSelector);
    BOOST_TEST(data.type == 3);
    BOOST_TEST(data.code_or_data);
    BOOST_TEST(data.present);
    BOOST_TEST(data.limit == 0xffff'ffff);
    const auto task = segment_of(gdt, kTaskSelector);
    BOOST_TEST(task.type == 0xB);
    BOOST_TEST(!task.code_or_data);
    BOOST_TEST(task.present);
    BOOST_TEST(task.limit == 0x67U);
    BOOST_TEST(!task.granularity);
    BOOST_TEST((segment_of(gdt, 0) == Segment{}));
  }
}

BOOST_AUTO_TEST_CASE(every_field_of_a_descriptor_is_found) {
  const Gdt gdt{0, 0xAB10'F2CD'EF01'2345};
  const auto segment = segment_of(gdt, 8);
  BOOST_TEST(segment.base == 0xABCDEF01U);
  BOOST_TEST(segment.limit == 0x02345U);
  BOOST_TEST(segment.type == 2);
  BOOST_TEST(segment.privilege == 3);
  BOOST_TEST(segment.present);
  BOOST_TEST(segment.code_or_data);
  BOOST_TEST(segment.available);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm::test
