#include <backends/runtime_dir/libexec.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <tests/support/scratch_dir.hpp>

using capsa::libexec_program;
using capsa::tests::ScratchDir;

BOOST_AUTO_TEST_SUITE(libexec)

BOOST_AUTO_TEST_CASE(the_environment_comes_first) {
  const ScratchDir scratch;
  const auto program = scratch.file("capsa-launcher", "#!/bin/sh\n", 0700);
  ::setenv("CAPSA_LIBEXEC", scratch.path().c_str(), 1);
  const auto found = libexec_program("capsa-launcher");
  ::unsetenv("CAPSA_LIBEXEC");
  BOOST_TEST(found == program);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_run_is_passed_over) {
  const ScratchDir scratch;
  scratch.file("capsa-no-such-program", "text", 0600);
  ::setenv("CAPSA_LIBEXEC", scratch.path().c_str(), 1);
  const auto found = libexec_program("capsa-no-such-program");
  ::unsetenv("CAPSA_LIBEXEC");
  BOOST_TEST(found.empty());
}

BOOST_AUTO_TEST_CASE(a_name_is_no_path) {
  BOOST_TEST(libexec_program("../../../bin/sh").empty());
  BOOST_TEST(libexec_program("/bin/sh").empty());
  BOOST_TEST(libexec_program("").empty());
}

BOOST_AUTO_TEST_SUITE_END()
