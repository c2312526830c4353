#include <backends/kvm/tables/acpi.hpp>
#include <backends/kvm/tables/mp_table.hpp>
#include <boost/test/unit_test.hpp>

#include "parsed_tables.hpp"

namespace capsa::kvm {

namespace {

/// A register in the FADT: one byte in I/O space, accessed as a byte.
void check_port(std::span<const std::byte> fadt, std::size_t offset, std::uint16_t port) {
  BOOST_TEST(get<std::uint8_t>(fadt, offset) == 1);
  BOOST_TEST(get<std::uint8_t>(fadt, offset + 1) == 8);
  BOOST_TEST(get<std::uint8_t>(fadt, offset + 2) == 0);
  BOOST_TEST(get<std::uint8_t>(fadt, offset + 3) == 1);
  BOOST_TEST(get<std::uint64_t>(fadt, offset + 4) == port);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_tables_acpi)

BOOST_AUTO_TEST_CASE(a_guest_finds_every_table_from_the_rsdp_on) {
  for (const unsigned cpus : {1U, 2U, 255U}) {
    for (const unsigned slots : {0U, 1U, 14U, 24U}) {
      const auto tables = build_acpi(machine_with(cpus, slots)).value();
      BOOST_TEST(tables.rsdp == kAcpiAddress);
      const ParsedTables parsed(tables);
      BOOST_TEST(parsed.all().size() == 4U);
      for (const char* signature : {"XSDT", "FACP", "APIC", "DSDT"})
        BOOST_TEST(parsed.all().count(signature) == 1U, signature);
      BOOST_TEST(kAcpiAddress + tables.bytes.size() <= kBiosMpTableAddress);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_rsdp_has_no_32_bit_table_to_offer) {
  const auto tables = build_acpi({}).value();
  BOOST_TEST(get<std::uint8_t>(tables.bytes, 15) == 2);
  BOOST_TEST(get<std::uint32_t>(tables.bytes, 16) == 0U);
}

BOOST_AUTO_TEST_CASE(the_fadt_says_how_to_go_and_how_to_come_back) {
  const auto tables = build_acpi({}).value();
  const auto fadt = ParsedTables(tables)["FACP"];
  BOOST_TEST(fadt.size() == 276U);
  BOOST_TEST(get<std::uint8_t>(fadt, 8) == 6);
  BOOST_TEST(get<std::uint8_t>(fadt, 131) == 4);
  check_port(fadt, 116, kResetPort);
  BOOST_TEST(get<std::uint8_t>(fadt, 128) == kResetValue);
  check_port(fadt, 244, kSleepControlPort);
  check_port(fadt, 256, kSleepStatusPort);
  BOOST_TEST(get<std::uint32_t>(fadt, 40) == 0U);
}

BOOST_AUTO_TEST_CASE(the_fadt_says_what_the_machine_has_and_has_not) {
  const auto tables = build_acpi({}).value();
  const auto fadt = ParsedTables(tables)["FACP"];
  // WBINVD, no fixed buttons, a reset register, hardware-reduced.
  BOOST_TEST(get<std::uint32_t>(fadt, 112) == 0x0010'0431U);
  // Legacy devices and no VGA; no 8042; a clock.
  BOOST_TEST(get<std::uint16_t>(fadt, 109) == 0x0005);
  // No register of a machine that is not reduced: neither before the flags nor between the two
  // addresses of sleep registers and of tables.
  for (std::size_t at = 46; at < 109; ++at)
    BOOST_TEST(get<std::uint8_t>(fadt, at) == 0, at);
  for (std::size_t at = 148; at < 244; ++at)
    BOOST_TEST(get<std::uint8_t>(fadt, at) == 0, at);
}

BOOST_AUTO_TEST_CASE(the_madt_has_one_local_apic_for_each_cpu) {
  for (const unsigned cpus : {1U, 2U, 255U}) {
    const auto tables = build_acpi(machine_with(cpus, 1)).value();
    const auto madt = ParsedTables(tables)["APIC"];
    BOOST_TEST(get<std::uint32_t>(madt, 36) == kLocalApicAddress);
    BOOST_TEST(get<std::uint32_t>(madt, 40) == 0U);
    unsigned local = 0;
    unsigned io = 0;
    unsigned nmi = 0;
    std::size_t at = 44;
    while (at < madt.size()) {
      const auto type = get<std::uint8_t>(madt, at);
      if (type == 0) {
        BOOST_TEST_REQUIRE(get<std::uint8_t>(madt, at + 2) == local);
        BOOST_TEST_REQUIRE(get<std::uint8_t>(madt, at + 3) == local);
        BOOST_TEST_REQUIRE(get<std::uint32_t>(madt, at + 4) == 1U);
        ++local;
      } else if (type == 1) {
        BOOST_TEST(get<std::uint8_t>(madt, at + 2) == 0);
        BOOST_TEST(get<std::uint32_t>(madt, at + 4) == kIoApicAddress);
        BOOST_TEST(get<std::uint32_t>(madt, at + 8) == 0U);
        ++io;
      } else {
        BOOST_TEST(type == 4);
        BOOST_TEST(get<std::uint8_t>(madt, at + 2) == 0xFF);
        BOOST_TEST(get<std::uint8_t>(madt, at + 5) == 1);
        ++nmi;
      }
      BOOST_TEST_REQUIRE(get<std::uint8_t>(madt, at + 1) != 0);
      at += get<std::uint8_t>(madt, at + 1);
    }
    BOOST_TEST(at == madt.size());
    BOOST_TEST(local == cpus);
    BOOST_TEST(io == 1U);
    BOOST_TEST(nmi == 1U);
  }
}

BOOST_AUTO_TEST_CASE(the_same_machine_gives_the_same_bytes) {
  const auto machine = machine_with(7, 20);
  BOOST_TEST((build_acpi(machine).value().bytes == build_acpi(machine).value().bytes));
}

BOOST_AUTO_TEST_CASE(tables_that_do_not_fit_are_refused) {
  // As many as fit, and one more: found by trying, so that the test does not repeat the encoder.
  unsigned fits = 0;
  for (unsigned step = 2048; step != 0; step /= 2) {
    if (build_acpi(machine_with(255, fits + step)).ok()) fits += step;
  }
  BOOST_TEST(fits > 500U);
  BOOST_CHECK_NO_THROW(ParsedTables(build_acpi(machine_with(255, fits)).value()));
  const auto refused = build_acpi(machine_with(255, fits + 1));
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.error().code() == ErrorCode::ResourceExhausted));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm
