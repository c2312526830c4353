#include <tests/unit/values/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

BOOST_AUTO_TEST_SUITE(validate_exec)

BOOST_AUTO_TEST_CASE(a_command_and_a_shell_line_are_accepted) {
  check_accepted(validate(ExecSpec::command({"/bin/echo", "", "a b"})));
  check_accepted(validate(ExecSpec::shell_line("echo a")));
}

BOOST_AUTO_TEST_CASE(neither_or_both_are_refused) {
  check_refused(validate(ExecSpec{}), {"command", "neither"});
  auto both = ExecSpec::command({"a"});
  both.shell = "b";
  check_refused(validate(both), {"command", "both"});
}

BOOST_AUTO_TEST_CASE(an_empty_name_and_a_nul_byte_are_refused) {
  check_refused(validate(ExecSpec::command({""})), {"command", "empty"});
  check_refused(validate(ExecSpec::command({"a", std::string("b\0c", 3)})), {"b\\x00c"});
  check_refused(validate(ExecSpec::shell_line(std::string("b\0c", 3))), {"shell line"});
}

BOOST_AUTO_TEST_CASE(names_in_the_environment_are_names) {
  auto spec = ExecSpec::command({"a"});
  spec.env = {{"A", "b=c"}, {"EMPTY", ""}};
  check_accepted(validate(spec));
  spec.env = {{"", "x"}};
  check_refused(validate(spec), {"env"});
  spec.env = {{"A=B", "x"}};
  check_refused(validate(spec), {"env", "A=B"});
  spec.env = {{"A", std::string("\0", 1)}};
  check_refused(validate(spec), {"env", "\"A\"", "NUL"});
}

BOOST_AUTO_TEST_CASE(the_working_directory_is_absolute) {
  auto spec = ExecSpec::command({"a"});
  spec.working_dir = "/mnt";
  check_accepted(validate(spec));
  spec.working_dir = "mnt";
  check_refused(validate(spec), {"working_dir", "\"mnt\"", "absolute"});
}

BOOST_AUTO_TEST_CASE(a_timeout_of_a_command_is_positive) {
  auto spec = ExecSpec::command({"a"});
  spec.timeout = std::chrono::milliseconds(0);
  check_refused(validate(spec), {"command timeout", "0 ms"});
}

BOOST_AUTO_TEST_SUITE_END()
