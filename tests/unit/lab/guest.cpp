#include <tools/lab/guest.hpp>

#include <actors/guest/cache.hpp>
#include <actors/guest/content_key.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <tests/support/scratch_dir.hpp>

using namespace capsa;
using namespace capsa::lab;
namespace fs = std::filesystem;

namespace {

/// A cache, and an agent that this program takes for its own.
struct Fixture {
  Fixture() {
    scratch.file("capsa-agent", "the agent", 0700);
    ::setenv("CAPSA_LIBEXEC", scratch.path().c_str(), 1);
  }
  ~Fixture() { ::unsetenv("CAPSA_LIBEXEC"); }

  void add_guest(bool tuned, const std::string& version, const std::string& agent) {
    guest::Manifest manifest;
    manifest.tuned = tuned;
    manifest.kernel_version = version;
    manifest.agent_key = guest::content_key(agent);
    const auto directory =
        guest::guests_directory(cache) / guest::entry_name(tuned, version, manifest.agent_key);
    fs::create_directories(directory);
    BOOST_REQUIRE(guest::write_file(directory / "vmlinux", "kernel").ok());
    BOOST_REQUIRE(guest::write_file(directory / "initrd", "initrd").ok());
    BOOST_REQUIRE(
        guest::write_file(directory / "manifest.json", guest::format_manifest(manifest)).ok());
  }

  tests::ScratchDir scratch;
  fs::path cache = scratch.path() / "cache";
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(lab_guest, Fixture)

BOOST_AUTO_TEST_CASE(the_small_kernel_is_passed_over) {
  add_guest(true, "6.2", "the agent");
  add_guest(false, "6.1", "the agent");
  const auto found = find_stock_guest(cache);
  BOOST_TEST_REQUIRE(found.ok());
  BOOST_TEST(!found->tuned);
  BOOST_TEST(found->kernel_version == "6.1");
}

BOOST_AUTO_TEST_CASE(a_guest_with_another_agent_is_no_guest_of_ours) {
  add_guest(false, "6.1", "an older agent");
  const auto found = find_stock_guest(cache);
  BOOST_TEST_REQUIRE(!found.ok());
  BOOST_TEST((found.error().code() == ErrorCode::GuestNotPrepared));
  BOOST_TEST(found.error().hint() == "run: capsa guest prepare");
}

BOOST_AUTO_TEST_CASE(modules_in_the_cache_are_given_in_their_order) {
  const auto entry = modules_entry(cache, "6.1");
  fs::create_directories(entry);
  BOOST_REQUIRE(guest::write_file(entry / "order", "zzz.ko\nkvm.ko\nkvm-amd.ko\n").ok());
  const auto modules =
      kvm_modules(cache, "6.1", [](std::string_view step, std::uint64_t, std::uint64_t) {
        BOOST_ERROR("nothing is to be fetched: " << step);
      });
  BOOST_TEST_REQUIRE(modules.ok());
  const std::vector<fs::path> wanted = {entry / "zzz.ko", entry / "kvm.ko", entry / "kvm-amd.ko"};
  BOOST_TEST((*modules == wanted));
}

BOOST_AUTO_TEST_SUITE_END()
