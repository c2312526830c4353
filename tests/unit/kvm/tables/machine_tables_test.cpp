#include <backends/kvm/tables/acpi.hpp>
#include <boost/test/unit_test.hpp>

#include "parsed_tables.hpp"

namespace capsa::kvm {

namespace {

/// The code of the error, which build_acpi() gives too; nothing where the machine is fine.
std::optional<ErrorCode> refusal(const MachineTables& machine) {
  const auto fine = check(machine);
  const auto built = build_acpi(machine);
  BOOST_TEST(built.ok() == fine.ok());
  if (fine) return std::nullopt;
  BOOST_TEST((built.error() == fine.error()));
  return fine.error().code();
}

std::optional<ErrorCode> refusal_of_slot(const VirtioSlot& slot) {
  return refusal({.virtio = {virtio_slot(0), slot}});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_tables_machine)

BOOST_AUTO_TEST_CASE(a_machine_has_1_to_255_cpus) {
  BOOST_TEST((refusal({.cpus = 0}) == ErrorCode::InvalidConfig));
  BOOST_TEST((refusal({.cpus = 1}) == std::nullopt));
  BOOST_TEST((refusal({.cpus = 255}) == std::nullopt));
  BOOST_TEST((refusal({.cpus = 256}) == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_slot_lies_below_4_gib) {
  const std::uint64_t end = 0x1'0000'0000;
  BOOST_TEST((refusal_of_slot({end - 0x1000, 0x1000, 10}) == std::nullopt));
  BOOST_TEST((refusal_of_slot({end - 0x1000, 0x1001, 10}) == ErrorCode::InvalidConfig));
  BOOST_TEST((refusal_of_slot({end, 0x1000, 10}) == ErrorCode::InvalidConfig));
  BOOST_TEST((refusal_of_slot({0, end, 10}) == ErrorCode::InvalidConfig));
  BOOST_TEST((refusal_of_slot({1, ~std::uint64_t{0}, 10}) == ErrorCode::InvalidConfig));
  BOOST_TEST((refusal_of_slot({0xD000'0000, 0, 10}) == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_slot_has_a_line_that_is_virtios) {
  BOOST_TEST((refusal_of_slot({0xD000'0000, 0x1000, 23}) == std::nullopt));
  for (const unsigned line : {0U, kSerialLine, kRtcLine, kEventDeviceLine, 24U, ~0U})
    BOOST_TEST((refusal_of_slot({0xD000'0000, 0x1000, line}) == ErrorCode::InvalidConfig), line);
}

BOOST_AUTO_TEST_CASE(an_error_names_the_slot) {
  const auto refused = check(MachineTables{.virtio = {virtio_slot(0), {0xD000'0000, 0, 10}}});
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST(refused.error().message().find("slot 1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(more_slots_than_names_are_refused) {
  const auto slots = [](std::size_t count) {
    return check(MachineTables{.virtio = std::vector<VirtioSlot>(count, virtio_slot(0))});
  };
  BOOST_TEST(slots(kMaxVirtioSlots).ok());
  BOOST_TEST_REQUIRE(!slots(kMaxVirtioSlots + 1).ok());
  BOOST_TEST((slots(kMaxVirtioSlots + 1).error().code() == ErrorCode::ResourceExhausted));
}

BOOST_AUTO_TEST_CASE(a_generation_id_lies_at_a_multiple_of_8) {
  BOOST_TEST((refusal({.generation_id = 0x1008}) == std::nullopt));
  BOOST_TEST((refusal({.generation_id = 0x1004}) == ErrorCode::InvalidConfig));
  BOOST_TEST((refusal({.generation_id = 0}) == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm
