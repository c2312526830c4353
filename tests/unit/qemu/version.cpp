#include <backends/qemu/version.hpp>
#include <boost/test/unit_test.hpp>

using capsa::qemu::kOldestQemu;
using capsa::qemu::parse_version;
using capsa::qemu::QemuVersion;

BOOST_AUTO_TEST_SUITE(version)

BOOST_AUTO_TEST_CASE(versions_are_read_from_what_qemu_prints) {
  BOOST_TEST((parse_version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\n") ==
              QemuVersion{7, 2, 22}));
  BOOST_TEST((parse_version("QEMU emulator version 10.0.2\nCopyright") == QemuVersion{10, 0, 2}));
  BOOST_TEST((parse_version("QEMU emulator version 9.1.50-rc1") == QemuVersion{9, 1, 50}));
  BOOST_TEST((parse_version("QEMU emulator version 8.2") == QemuVersion{8, 2, 0}));
}

BOOST_AUTO_TEST_CASE(other_output_is_no_version) {
  BOOST_TEST(!parse_version("").has_value());
  BOOST_TEST(!parse_version("bash: not found").has_value());
  BOOST_TEST(!parse_version("QEMU emulator version x.y").has_value());
  BOOST_TEST(!parse_version("QEMU emulator version 7").has_value());
  BOOST_TEST(!parse_version("QEMU emulator version 99999999999.1").has_value());
  BOOST_TEST(!parse_version("QEMU emulator version -7.2").has_value());
}

BOOST_AUTO_TEST_CASE(versions_are_ordered_by_number) {
  BOOST_TEST((QemuVersion{7, 1, 99} < kOldestQemu));
  BOOST_TEST((QemuVersion{10, 0, 0} > kOldestQemu));
  BOOST_TEST((QemuVersion{7, 2, 0} >= kOldestQemu));
}

BOOST_AUTO_TEST_SUITE_END()
