#include <boost/test/unit_test.hpp>
#include <tools/cli/report.hpp>

using namespace capsa;
using namespace capsa::cli;

BOOST_AUTO_TEST_SUITE(report_status)

BOOST_AUTO_TEST_CASE(a_command_that_does_not_exist_is_127) {
  BOOST_TEST(status_of_failed_start({ErrorCode::GuestError, "x", {}, ENOENT}) == 127);
  BOOST_TEST(status_of_failed_start({ErrorCode::GuestError, "x", {}, ENOTDIR}) == 127);
}

BOOST_AUTO_TEST_CASE(a_command_that_cannot_be_run_is_126) {
  for (const int why : {EACCES, EPERM, EISDIR, ENOEXEC})
    BOOST_TEST(status_of_failed_start({ErrorCode::GuestError, "x", {}, why}) == 126);
}

BOOST_AUTO_TEST_CASE(everything_else_is_capsas_own_failure) {
  BOOST_TEST(status_of_failed_start({ErrorCode::GuestError, "x", {}, ENOMEM}) == 125);
  BOOST_TEST(status_of_failed_start({ErrorCode::NotFound, "x", {}, ENOENT}) == 125);
  BOOST_TEST(status_of_failed_start({ErrorCode::GuestNotPrepared, "x"}) == 125);
}

BOOST_AUTO_TEST_SUITE_END()
