#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <tests/support/scratch_dir.hpp>

#include "parsed_tables.hpp"

namespace capsa::kvm {

namespace {

/// The reference compiler of ACPI (package acpica-tools on Debian) reads our tables and writes them
/// anew from what it read.
boost::test_tools::assertion_result iasl_is_there(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result there(std::system("iasl -v >/dev/null 2>&1") == 0);
  there.message() << "iasl is not installed";
  return there;
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void check_with_iasl(std::span<const std::byte> table) {
  const tests::ScratchDir scratch;
  const std::string original = text(table, 0, table.size());
  scratch.file("table.aml", original);
  const auto run = [&](const std::string& arguments) {
    const std::string command =
        "cd '" + scratch.path().string() + "' && iasl " + arguments + " >log 2>&1 </dev/null";
    return std::system(command.c_str());
  };

  BOOST_TEST_REQUIRE(run("-d table.aml") == 0, content(scratch.path() / "log"));
  const std::string source = content(scratch.path() / "table.dsl");
  for (const char* complaint : {"Error", "Warning", "Invalid", "nknown", "incorrect"})
    BOOST_TEST(source.find(complaint) == std::string::npos, source);

  // Without optimizations (-oa): they would write paths shorter. 6035 is about a _HID's last four
  // characters not being hexadecimal: QEMUVGID is the name that guests know from QEMU.
  BOOST_TEST_REQUIRE(run("-oa -vw 6035 -p again table.dsl") == 0, content(scratch.path() / "log"));
  const std::string log = content(scratch.path() / "log");
  BOOST_TEST(log.find("0 Errors, 0 Warnings, 0 Remarks") != std::string::npos, log);
  // Its header says that iasl made it; everything else is ours again, byte by byte.
  const std::string again = content(scratch.path() / "again.aml");
  BOOST_TEST_REQUIRE(again.size() == original.size());
  BOOST_TEST((again.substr(36) == original.substr(36)));
}

void check_all(const MachineTables& machine) {
  const auto tables = build_acpi(machine).value();
  const ParsedTables parsed(tables);
  for (const auto& [signature, table] : parsed.all()) {
    BOOST_TEST_CONTEXT(signature) {
      check_with_iasl(table);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_tables_iasl, *boost::unit_test::precondition(iasl_is_there))

BOOST_AUTO_TEST_CASE(the_smallest_machine_is_read_and_written_anew) {
  check_all({.power_button = false});
}

BOOST_AUTO_TEST_CASE(machines_with_some_devices_are_read_and_written_anew) {
  for (const unsigned slots : {1U, 14U, 24U})
    check_all(machine_with(2, slots));
}

BOOST_AUTO_TEST_CASE(a_machine_with_only_a_button_is_read_and_written_anew) {
  check_all({.power_button = true});
}

BOOST_AUTO_TEST_CASE(a_machine_with_only_a_generation_id_is_read_and_written_anew) {
  check_all({.power_button = false, .generation_id = 0x1000});
}

BOOST_AUTO_TEST_CASE(the_largest_machine_is_read_and_written_anew) {
  check_all(machine_with(255, 600));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::kvm
