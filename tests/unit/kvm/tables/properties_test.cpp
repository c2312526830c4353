#include <algorithm>
#include <backends/kvm/tables/mp_table.hpp>
#include <boost/test/unit_test.hpp>
#include <random>

#include "parsed_tables.hpp"

namespace capsa::kvm {

namespace {

/// A machine that may be anything check() allows, and often at the end of a range.
MachineTables any_machine(std::mt19937& random) {
  const auto below = [&](std::uint64_t end) {
    return std::uniform_int_distribution<std::uint64_t>(0, end - 1)(random);
  };
  MachineTables machine;
  machine.cpus = static_cast<unsigned>(below(4) == 0 ? 255 - below(2) : 1 + below(255));
  machine.virtio.resize(below(3) == 0 ? below(3) : below(40));
  for (VirtioSlot& slot : machine.virtio) {
    slot.address = below(0x1'0000'0000);
    slot.size = 1 + below(std::min<std::uint64_t>(0x1'0000'0000 - slot.address, 0xFFFF'FFFF));
    slot.line = static_cast<unsigned>(kFirstVirtioLine + below(kInterruptLines - kFirstVirtioLine));
  }
  machine.power_button = below(2) == 0;
  if (below(2) == 0) machine.generation_id = 8 + 8 * below(1ULL << below(50));
  return machine;
}

/// The PkgLength at `at`; moves behind it.
std::size_t package_length(std::span<const std::byte> code, std::size_t& at) {
  const auto lead = get<std::uint8_t>(code, at++);
  if (lead >> 6 == 0) return lead;
  std::size_t value = lead & 0xF;
  for (unsigned i = 0; i < lead >> 6U; ++i)
    value |= std::size_t{get<std::uint8_t>(code, at++)} << (4 + 8 * i);
  return value;
}

/// The number of devices of \_SB, given that they fill it without a gap. Throws where not.
std::size_t devices_of(std::span<const std::byte> dsdt) {
  std::size_t at = 36 + 13;  // the header and \_S5
  if (get<std::uint8_t>(dsdt, at++) != 0x10) throw std::runtime_error("no scope");
  const std::size_t scope = at;
  if (scope + package_length(dsdt, at) != dsdt.size())
    throw std::runtime_error("the scope is not the rest");
  at += 5;
  std::size_t count = 0;
  for (; at < dsdt.size(); ++count) {
    if (get<std::uint16_t>(dsdt, at) != 0x825B) throw std::runtime_error("no device");
    std::size_t behind = at + 2;
    at += 2 + package_length(dsdt, behind);
  }
  if (at != dsdt.size()) throw std::runtime_error("a device ends behind its scope");
  return count;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_tables_properties)

BOOST_AUTO_TEST_CASE(lengths_and_checksums_of_every_machines_tables_hold) {
  std::mt19937 random(20'240'611);  // always the same: a failure names its machine by its number
  for (unsigned round = 0; round < 300; ++round) {
    BOOST_TEST_CONTEXT("machine " << round) {
      const MachineTables machine = any_machine(random);
      const auto tables = build_acpi(machine);
      BOOST_TEST_REQUIRE(tables.ok());
      BOOST_TEST(kAcpiAddress + tables->bytes.size() <= kBiosMpTableAddress);
      const ParsedTables parsed(*tables);
      BOOST_TEST(parsed["APIC"].size() == 44 + 8 * machine.cpus + 12 + 6);
      const bool events = machine.power_button || machine.generation_id;
      BOOST_TEST(devices_of(parsed["DSDT"]) ==
                 3 + machine.virtio.size() + (machine.power_button ? 1 : 0) +
                     (machine.generation_id ? 1 : 0) + (events ? 1 : 0));
      BOOST_TEST((build_acpi(machine).value().bytes == tables->bytes));

      const auto mp = build_mp_table(machine.cpus).value();
      const auto all = std::span<const std::byte>(mp.bytes);
      BOOST_TEST(byte_sum(all.first(16)) == 0);
      BOOST_TEST(byte_sum(all.subspan(16)) == 0);
      BOOST_TEST(get<std::uint16_t>(all, 16 + 4) == all.size() - 16);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm
