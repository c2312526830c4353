#include <tools/lab/plan.hpp>

#include <boost/test/unit_test.hpp>

using namespace capsa::lab;

namespace {

Plan plain_plan() {
  Plan plan;
  plan.root = "/.host";
  plan.modules = {"/.host/a.ko", "/.host/b.ko"};
  plan.binds = {{"/.rw0", "/srv/out"}};
  plan.kept = {"/run/built"};
  plan.working_dir = "/srv";
  plan.command = {"sh", "-c", "--", "--root"};
  return plan;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lab_plan)

BOOST_AUTO_TEST_CASE(a_plan_comes_back_from_its_arguments) {
  const auto back = from_arguments(to_arguments(plain_plan()));
  BOOST_TEST_REQUIRE(back.has_value());
  BOOST_TEST((*back == plain_plan()));
}

BOOST_AUTO_TEST_CASE(modules_keep_their_order) {
  auto plan = plain_plan();
  std::swap(plan.modules[0], plan.modules[1]);
  const auto back = from_arguments(to_arguments(plan));
  BOOST_TEST_REQUIRE(back.has_value());
  BOOST_TEST(back->modules == plan.modules, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(words_that_look_like_options_are_values_where_a_value_is_due) {
  auto plan = plain_plan();
  plan.working_dir = "--";
  plan.binds = {{"--bind", "--"}};
  const auto back = from_arguments(to_arguments(plan));
  BOOST_TEST_REQUIRE(back.has_value());
  BOOST_TEST((*back == plan));
}

BOOST_AUTO_TEST_CASE(arguments_of_another_form_are_refused) {
  BOOST_TEST(!from_arguments({}));
  BOOST_TEST(!from_arguments({"--root", "/r", "--dir", "/"}));        // no command
  BOOST_TEST(!from_arguments({"--root", "/r", "--dir", "/", "--"}));  // an empty one
  BOOST_TEST(!from_arguments({"--dir", "/", "--", "true"}));          // no root
  BOOST_TEST(!from_arguments({"--root", "/r", "--", "true"}));        // no directory
  BOOST_TEST(!from_arguments({"--root", "/r", "--dir"}));             // no value
  BOOST_TEST(!from_arguments({"--root", "/r", "--bind", "/a"}));      // half a value
  BOOST_TEST(!from_arguments({"--root", "/r", "--what", "x", "--", "true"}));
}

BOOST_AUTO_TEST_CASE(what_lies_in_an_emptied_directory_is_kept_by_its_top_entry) {
  BOOST_TEST(entry_to_keep("/run/built/bin/test") == "/run/built");
  BOOST_TEST(entry_to_keep("/run/tests/") == "/run/tests");
  BOOST_TEST(entry_to_keep("/srv/tmp/built/test") == "");
  BOOST_TEST(entry_to_keep("/tmpfiles/built/test") == "");
  // A file, and the emptied directory itself.
  BOOST_TEST(entry_to_keep("/run/test") == "");
  BOOST_TEST(entry_to_keep("/tmp/") == "");
  BOOST_TEST(entry_to_keep("/tmp") == "");
}

BOOST_AUTO_TEST_SUITE_END()
