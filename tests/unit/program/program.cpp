#include <backends/program/program.hpp>
#include <boost/test/unit_test.hpp>

using namespace capsa;
using namespace capsa::program;

namespace {

Command shell(const std::string& script) {
  return {.words = {"sh", "-c", script}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(child_programs)

BOOST_AUTO_TEST_CASE(output_is_returned) {
  BOOST_TEST(*run(shell("echo out; echo err >&2")) == "out\n");
}

BOOST_AUTO_TEST_CASE(output_is_given_line_by_line) {
  std::vector<std::string> lines;
  auto command = shell("printf 'one\\n\\ntwo\\rthree'");
  command.line = [&](std::string_view line) { lines.emplace_back(line); };
  const auto outcome = run(command);
  BOOST_REQUIRE(outcome.ok());
  BOOST_TEST(outcome->empty());
  BOOST_TEST((lines == std::vector<std::string>{"one", "two", "three"}));
}

BOOST_AUTO_TEST_CASE(much_output_on_both_streams_does_not_block) {
  const auto outcome =
      run(shell("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890"
                "123456789; echo e >&2; i=$((i+1)); done"));
  BOOST_REQUIRE(outcome.ok());
  BOOST_TEST(outcome->size() == 3000U * 41U);
}

BOOST_AUTO_TEST_CASE(a_failure_tells_the_last_line_of_the_error_output) {
  const auto outcome = run(shell("echo first >&2; echo 'the reason' >&2; echo >&2; exit 7"));
  BOOST_REQUIRE(!outcome.ok());
  BOOST_TEST((outcome.error().code() == ErrorCode::IoError));
  BOOST_TEST(outcome.error().message() == "sh -c failed with status 7: the reason");
}

BOOST_AUTO_TEST_CASE(an_end_by_a_signal_is_told) {
  const auto outcome = run(shell("kill -9 $$"));
  BOOST_REQUIRE(!outcome.ok());
  BOOST_TEST(outcome.error().message() == "sh -c was ended by signal 9");
}

BOOST_AUTO_TEST_CASE(a_missing_program_is_named_with_its_package) {
  const auto outcome = run({.words = {"capsa-no-such-program"}, .package = "nothing"});
  BOOST_REQUIRE(!outcome.ok());
  BOOST_TEST((outcome.error().code() == ErrorCode::NotFound));
  BOOST_TEST(outcome.error().hint() == "install the package nothing");
}

BOOST_AUTO_TEST_CASE(it_runs_where_it_was_told_to_in_the_c_locale_without_input) {
  auto command = shell("pwd; echo $LC_ALL; cat");
  command.directory = "/";
  BOOST_TEST(*run(command) == "/\nC\n");
}

BOOST_AUTO_TEST_SUITE_END()
