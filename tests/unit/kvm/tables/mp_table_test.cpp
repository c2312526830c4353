#include <array>
#include <backends/kvm/tables/mp_table.hpp>
#include <boost/test/unit_test.hpp>

#include "parsed_tables.hpp"

namespace capsa::kvm {

namespace {

std::span<const std::byte> configuration(const MpTable& table) {
  return std::span(table.bytes).subspan(16);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_tables_mp)

BOOST_AUTO_TEST_CASE(kernels_find_the_pointer_and_it_leads_to_the_table) {
  const auto table = build_mp_table(2).value();
  BOOST_TEST(table.address % 16 == 0U);
  BOOST_TEST(table.address >= 0xF0000U);
  const auto pointer = std::span(table.bytes).first(16);
  BOOST_TEST(text(pointer, 0, 4) == "_MP_");
  BOOST_TEST(get<std::uint32_t>(pointer, 4) == table.address + 16);
  BOOST_TEST(get<std::uint8_t>(pointer, 8) == 1);
  BOOST_TEST(get<std::uint8_t>(pointer, 9) == 4);
  BOOST_TEST(byte_sum(pointer) == 0);
  for (std::size_t feature = 11; feature < 16; ++feature)
    BOOST_TEST(get<std::uint8_t>(pointer, feature) == 0);
}

BOOST_AUTO_TEST_CASE(its_length_its_checksum_and_its_entries_hold) {
  for (const unsigned cpus : {1U, 2U, 37U, 38U, 255U}) {
    const auto placed = build_mp_table(cpus).value();
    BOOST_TEST(placed.address + placed.bytes.size() <= 0x10'0000U);
    const auto table = configuration(placed);
    BOOST_TEST(text(table, 0, 4) == "PCMP");
    BOOST_TEST(get<std::uint16_t>(table, 4) == table.size());
    BOOST_TEST(byte_sum(table) == 0);
    BOOST_TEST(get<std::uint32_t>(table, 36) == kLocalApicAddress);

    std::array<unsigned, 5> count{};
    std::size_t at = 44;
    std::uint8_t last = 0;
    while (at < table.size()) {
      const auto type = get<std::uint8_t>(table, at);
      BOOST_TEST_REQUIRE(type < count.size());
      BOOST_TEST(type >= last);
      last = type;
      ++count[type];
      at += type == 0 ? 20 : 8;
    }
    BOOST_TEST(at == table.size());
    BOOST_TEST(count[0] == cpus);
    BOOST_TEST(count[1] == 1U);
    BOOST_TEST(count[2] == 1U);
    BOOST_TEST(count[3] == kInterruptLines);
    BOOST_TEST(count[4] == 2U);
    BOOST_TEST(get<std::uint16_t>(table, 34) == cpus + 2 + kInterruptLines + 2);
  }
}

BOOST_AUTO_TEST_CASE(the_first_cpu_is_the_one_that_boots) {
  const auto placed = build_mp_table(255).value();
  const auto table = configuration(placed);
  for (unsigned cpu = 0; cpu < 255; ++cpu) {
    BOOST_TEST_REQUIRE(get<std::uint8_t>(table, 44 + 20 * cpu + 1) == cpu);
    BOOST_TEST_REQUIRE(get<std::uint8_t>(table, 44 + 20 * cpu + 3) == (cpu == 0 ? 3 : 1));
  }
}

BOOST_AUTO_TEST_CASE(interrupt_n_is_pin_n_of_the_io_apic) {
  const auto placed = build_mp_table(1).value();
  const auto entries = configuration(placed).subspan(44 + 20);
  BOOST_TEST(text(entries, 2, 6) == "ISA   ");
  BOOST_TEST(get<std::uint32_t>(entries, 12) == kIoApicAddress);
  for (unsigned line = 0; line < kInterruptLines; ++line) {
    const auto entry = entries.subspan(16 + 8 * line, 8);
    const int pin = static_cast<int>(line);
    BOOST_TEST((Bytes(entry.begin(), entry.end()) == bytes({3, 0, 0, 0, 0, pin, 0, pin})));
  }
}

BOOST_AUTO_TEST_CASE(a_number_of_cpus_out_of_range_is_refused) {
  for (const unsigned cpus : {0U, 256U, ~0U}) {
    const auto refused = build_mp_table(cpus);
    BOOST_TEST_REQUIRE(!refused.ok());
    BOOST_TEST((refused.error().code() == ErrorCode::InvalidConfig));
  }
}

BOOST_AUTO_TEST_CASE(the_same_machine_gives_the_same_table) {
  BOOST_TEST((build_mp_table(9).value().bytes == build_mp_table(9).value().bytes));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm
