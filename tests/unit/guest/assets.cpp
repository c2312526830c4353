#include <actors/guest/assets.hpp>
#include <actors/guest/cache.hpp>
#include <actors/guest/content_key.hpp>
#include <actors/guest/tsc.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/unit/guest/samples.hpp>

using namespace capsa;
using namespace capsa::guest;
using namespace capsa::guest::samples;

namespace {

void add_guest(const std::filesystem::path& root, const Manifest& manifest) {
  const auto directory =
      guests_directory(root) / entry_name(manifest.tuned, manifest.kernel_version, "key");
  std::filesystem::create_directories(directory);
  BOOST_REQUIRE(write_file(directory / "vmlinux", "kernel").ok());
  BOOST_REQUIRE(write_file(directory / "initrd", "initrd").ok());
  BOOST_REQUIRE(write_file(directory / "manifest.json", format_manifest(manifest)).ok());
}

Manifest manifest_for(const std::string& agent_key) {
  Manifest manifest;
  manifest.tuned = true;
  manifest.kernel_version = "6.1.0";
  manifest.command_line = "quiet";
  manifest.acpi = true;
  manifest.agent_key = agent_key;
  return manifest;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(guest_assets)

BOOST_AUTO_TEST_CASE(an_empty_cache_says_what_to_run) {
  const Scratch root;
  const auto found = find_in(root.path(), "agent", {});
  BOOST_REQUIRE(!found.ok());
  BOOST_TEST((found.error().code() == ErrorCode::GuestNotPrepared));
  BOOST_TEST(found.error().hint() == "run: capsa guest prepare");
}

BOOST_AUTO_TEST_CASE(only_guests_with_another_agent_say_so) {
  const Scratch root;
  add_guest(root.path(), manifest_for("old"));
  const auto found = find_in(root.path(), "new", {});
  BOOST_REQUIRE(!found.ok());
  BOOST_TEST((found.error().code() == ErrorCode::GuestNotPrepared));
  BOOST_TEST(found.error().message().find("another agent") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_guest_is_described_whole) {
  const Scratch root;
  add_guest(root.path(), manifest_for("agent"));
  const auto found = find_in(root.path(), "agent", 2'000'000);
  BOOST_REQUIRE(found.ok());
  BOOST_TEST(found->kernel == root.path() / "guest/tuned-6.1.0-key/vmlinux");
  BOOST_TEST(found->initrd == root.path() / "guest/tuned-6.1.0-key/initrd");
  BOOST_TEST(found->kernel_version == "6.1.0");
  BOOST_TEST(found->acpi);
  BOOST_TEST(found->tuned);
}

BOOST_AUTO_TEST_CASE(the_guest_is_told_its_clock_where_the_host_knows_it) {
  const Scratch root;
  add_guest(root.path(), manifest_for("agent"));
  BOOST_TEST(find_in(root.path(), "agent", 2'095'999)->command_line ==
             "quiet tsc_early_khz=2095999");
  BOOST_TEST(find_in(root.path(), "agent", {})->command_line == "quiet");
}

BOOST_AUTO_TEST_CASE(the_agent_beside_this_library_decides) {
  const Scratch root;
  const Scratch libexec;
  BOOST_REQUIRE(write_file(libexec.path() / "capsa-agent", "the agent").ok());
  std::filesystem::permissions(libexec.path() / "capsa-agent", std::filesystem::perms(0755));
  const Variable variable("CAPSA_LIBEXEC", libexec.path());
  add_guest(root.path(), manifest_for("another"));
  BOOST_TEST(!find_guest(root.path()).ok());
  auto right = manifest_for(content_key("the agent"));
  right.kernel_version = "6.0.0";
  add_guest(root.path(), right);
  const auto found = find_guest(root.path());
  BOOST_REQUIRE(found.ok());
  BOOST_TEST(found->kernel_version == "6.0.0");
}

BOOST_AUTO_TEST_CASE(the_cache_is_where_the_user_keeps_caches) {
  BOOST_TEST(*guest_cache("/given") == "/given");
  const Variable home("HOME", "/home/somebody");
  {
    const Variable xdg("XDG_CACHE_HOME", "/caches");
    BOOST_TEST(*guest_cache() == "/caches/capsa");
  }
  {
    const Variable relative("XDG_CACHE_HOME", "caches");
    BOOST_TEST(*guest_cache() == "/home/somebody/.cache/capsa");
    const Variable nowhere("HOME", "");
    BOOST_TEST((guest_cache().error().code() == ErrorCode::NotFound));
  }
}

BOOST_AUTO_TEST_CASE(the_time_stamp_counter_has_one_plausible_frequency) {
  const auto khz = tsc_khz();
  if (!khz) return;  // this host has none to be measured
  BOOST_TEST(*khz > 100'000U);
  BOOST_TEST(*khz < 20'000'000U);
  BOOST_TEST((tsc_khz() == khz));
}

BOOST_AUTO_TEST_SUITE_END()
