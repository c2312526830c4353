#include <algorithm>
#include <backends/kvm/tables/aml.hpp>
#include <backends/kvm/tables/aml_resources.hpp>
#include <backends/kvm/tables/dsdt.hpp>
#include <boost/test/unit_test.hpp>

#include "parsed_tables.hpp"

namespace capsa::kvm {

namespace {

bool contains(const Bytes& all, const Bytes& part) {
  return std::search(all.begin(), all.end(), part.begin(), part.end()) != all.end();
}

Bytes virtio_resources(const VirtioSlot& slot, aml::Sharing sharing) {
  return aml::resources({aml::memory32_fixed(static_cast<std::uint32_t>(slot.address),
                                             static_cast<std::uint32_t>(slot.size)),
                         aml::interrupt(slot.line, sharing)});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_tables_dsdt)

BOOST_AUTO_TEST_CASE(its_integers_have_64_bits) {
  BOOST_TEST(get<std::uint8_t>(build_dsdt({}), 8) == 2);
}

BOOST_AUTO_TEST_CASE(off_is_the_sleep_type_that_the_machine_knows) {
  BOOST_TEST(contains(build_dsdt({}), bytes({0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0A,
                                             kSleepTypeS5, 0x00, 0x00, 0x00})));
}

BOOST_AUTO_TEST_CASE(every_slot_is_a_virtio_device) {
  for (const unsigned slots : {0U, 1U, 14U, 24U}) {
    const Bytes dsdt = build_dsdt(machine_with(1, slots));
    BOOST_TEST(occurrences(dsdt, "LNRO0005") == slots);
    for (unsigned i = 0; i < slots; ++i) {
      Bytes name = aml::Name::numbered('V', i).encoded();
      BOOST_TEST(occurrences(dsdt, text(name, 0, 4)) == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_line_is_shared_only_where_two_devices_have_it) {
  // 14 lines: with 15 devices the first and the last share theirs.
  const Bytes dsdt = build_dsdt(machine_with(1, 15));
  for (unsigned i = 0; i < 15; ++i) {
    const bool shared = i == 0 || i == 14;
    BOOST_TEST(contains(dsdt, virtio_resources(virtio_slot(i), aml::Sharing::Shared)) == shared);
    BOOST_TEST(contains(dsdt, virtio_resources(virtio_slot(i), aml::Sharing::Exclusive)) != shared);
  }
}

BOOST_AUTO_TEST_CASE(what_a_machine_has_not_is_not_declared) {
  const Bytes bare = build_dsdt({.power_button = false});
  for (const char* name : {"ACPI0013", "PWRB", "VGEN", "LNRO0005"})
    BOOST_TEST(occurrences(bare, name) == 0U, name);
  for (const char* name : {"COM1", "RTC_", "QEMU0001"})
    BOOST_TEST(occurrences(bare, name) == 1U, name);
  BOOST_TEST(!contains(bare, aml::integer(aml::eisa_id("PNP0303"))));  // no keyboard
  BOOST_TEST(!contains(bare, aml::integer(aml::eisa_id("PNP0A03"))));  // no PCI
  BOOST_TEST(!contains(bare, aml::integer(aml::eisa_id("PNP0A08"))));
}

BOOST_AUTO_TEST_CASE(the_event_device_notifies_what_is_there_and_nothing_else) {
  const auto button = aml::notify("\\_SB.PWRB", 0x80);
  const auto generation = aml::notify("\\_SB.VGEN", 0x80);

  const Bytes one = build_dsdt({.power_button = true});
  BOOST_TEST(contains(one, button));
  BOOST_TEST(!contains(one, generation));

  const Bytes other = build_dsdt({.power_button = false, .generation_id = 0x1000});
  BOOST_TEST(!contains(other, button));
  BOOST_TEST(contains(other, generation));
  BOOST_TEST(occurrences(other, "ACPI0013") == 1U);

  const Bytes both = build_dsdt({.power_button = true, .generation_id = 0x1000});
  BOOST_TEST(contains(both, button));
  BOOST_TEST(contains(both, generation));
}

BOOST_AUTO_TEST_CASE(one_read_of_the_register_answers_all_events) {
  const Bytes dsdt = build_dsdt(machine_with(1, 0));
  const auto on = [](std::uint32_t bit, const aml::Code& then) {
    return aml::when(aml::bit_and(aml::local(0), aml::integer(bit)), then);
  };
  BOOST_TEST(contains(
      dsdt, aml::method("_EVT", 1, true,
                        aml::join({aml::store(aml::reference("EVTS"), aml::local(0)),
                                   on(kEventGenerationChanged, aml::notify("\\_SB.VGEN", 0x80)),
                                   on(kEventPowerButton, aml::notify("\\_SB.PWRB", 0x80))}))));
  BOOST_TEST(contains(dsdt, aml::memory_region("EREG", kEventDeviceAddress, 4)));
}

BOOST_AUTO_TEST_CASE(the_generation_id_is_given_as_two_halves) {
  const Bytes dsdt = build_dsdt({.generation_id = 0x12'3456'7890});
  BOOST_TEST(contains(
      dsdt, aml::define("ADDR", aml::package({aml::integer(0x3456'7890), aml::integer(0x12)}))));
  const Bytes low = build_dsdt({.generation_id = 0x1000});
  BOOST_TEST(
      contains(low, aml::define("ADDR", aml::package({aml::integer(0x1000), aml::integer(0)}))));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm
