#include <tools/lab/options.hpp>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <tests/support/scratch_dir.hpp>

using namespace capsa;
using namespace capsa::lab;
namespace fs = std::filesystem;

namespace {

bool has(const std::vector<std::pair<std::string, std::string>>& env, const std::string& key,
         const std::string& value) {
  return std::find(env.begin(), env.end(), std::pair(key, value)) != env.end();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lab_options)

BOOST_AUTO_TEST_CASE(the_host_is_shared_read_only_with_a_guest_that_can_have_guests) {
  const auto order = understand({}, {"true"});
  BOOST_TEST_REQUIRE(order.ok());
  const auto& vm = order->session.vm;
  BOOST_TEST(vm.nested);
  BOOST_TEST((vm.accelerator == Accelerator::Tcg));
  BOOST_TEST(vm.resources.cpus == 1u);
  BOOST_TEST(order->kernel_words.empty());
  BOOST_TEST(vm.resources.memory_mb == 3072u);
  BOOST_TEST_REQUIRE(vm.shares.size() == 1u);
  BOOST_TEST(vm.shares[0].host_path == "/");
  BOOST_TEST((vm.shares[0].mode == MountMode::ReadOnly));
  BOOST_TEST(order->plan.root == vm.shares[0].target);
  BOOST_TEST(order->plan.working_dir == fs::canonical("."));
  BOOST_TEST(has(order->session.env, "CAPSA_IN_LAB", "1"));
}

BOOST_AUTO_TEST_CASE(several_cpus_have_a_periodic_tick_unless_timers_are_to_be_fine) {
  Words words;
  words.cpus = 2;
  BOOST_TEST(understand(words, {"true"})->kernel_words == " nohz=off highres=off");
  words.fine_timers = true;
  BOOST_TEST(understand(words, {"true"})->kernel_words.empty());
}

BOOST_AUTO_TEST_CASE(a_writable_directory_appears_at_its_own_path) {
  const tests::ScratchDir scratch;
  fs::create_directory(scratch.path() / "out");
  fs::create_directory_symlink("out", scratch.path() / "link");
  Words words;
  words.writable = {scratch.path() / "link"};
  const auto order = understand(words, {"true"});
  BOOST_TEST_REQUIRE(order.ok());
  BOOST_TEST_REQUIRE(order->session.vm.shares.size() == 2u);
  const auto& share = order->session.vm.shares[1];
  BOOST_TEST((share.mode == MountMode::ReadWrite));
  const std::vector<Bind> wanted = {{share.target, fs::canonical(scratch.path() / "out").string()}};
  BOOST_TEST((order->plan.binds == wanted));
}

BOOST_AUTO_TEST_CASE(the_whole_host_is_never_writable) {
  Words words;
  words.writable = {"/"};
  const auto order = understand(words, {"true"});
  BOOST_TEST_REQUIRE(!order.ok());
  BOOST_TEST((order.error().code() == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_not_there_is_named) {
  Words words;
  words.writable = {"/there/is/none"};
  const auto order = understand(words, {"true"});
  BOOST_TEST_REQUIRE(!order.ok());
  BOOST_TEST(order.error().message().find("/there/is/none") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_command_s_own_directory_below_run_is_kept_once) {
  Words words;
  words.env = {"A=b"};
  const auto order = understand(words, {"/run/built/./bin/test"});
  BOOST_TEST_REQUIRE(order.ok());
  BOOST_TEST(std::count(order->plan.kept.begin(), order->plan.kept.end(), "/run/built") == 1);
  BOOST_TEST(has(order->session.env, "A", "b"));
}

BOOST_AUTO_TEST_CASE(a_command_is_wanted) {
  const auto order = understand({}, {});
  BOOST_TEST_REQUIRE(!order.ok());
  BOOST_TEST(order.error().hint().find("-- COMMAND") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
