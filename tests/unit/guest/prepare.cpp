#include <actors/guest/content_key.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/unit/guest/packages.hpp>
#include <tools/guest/initrd.hpp>
#include <tools/guest/kernel.hpp>
#include <tools/guest/prepare.hpp>

using namespace capsa;
using namespace capsa::guest;
using namespace capsa::guest::samples;

namespace fs = std::filesystem;

namespace {

/// A cache with a tuned kernel for the list that comes along, an apt that knows its version, and
/// an agent: all that prepare() needs but the busybox of the host.
class Workshop {
 public:
  Workshop() {
    programs_.add("apt-cache",
                  "case \"$1\" in depends) echo '  Depends: linux-source-6.1';; "
                  "*) echo 'Version: 6.1.192-2';; esac");
    const auto kernel = kernels_directory(root_.path()) /
                        entry_name(true, "6.1.192-2", config_key(tuned_kernel_config()));
    fs::create_directories(kernel);
    BOOST_REQUIRE(write_file(kernel / "vmlinux", make_vmlinux()).ok());
    BOOST_REQUIRE(write_kernel({kernel, "6.1.192-capsa"}).ok());
    set_agent("1");
  }
  void set_agent(const std::string& content) {
    fs::remove(agent());
    BOOST_REQUIRE(write_file(agent(), make_elf({{1, content}})).ok());
  }
  fs::path agent() const { return programs_.directory() / "agent"; }
  result<GuestAssets> prepare() {
    return guest::prepare({.cache_dir = root_.path(), .tuned = true, .agent = agent()});
  }
  const fs::path& root() const { return root_.path(); }

 private:
  Scratch root_;
  FakePrograms programs_;
};

bool host_has_busybox() {
  const Scratch scratch;
  const FakePrograms nothing(true);
  return find_busybox(scratch.path(), {}).ok();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(preparing)

BOOST_AUTO_TEST_CASE(what_was_prepared_is_whole_and_found_again) {
  if (!host_has_busybox()) {
    BOOST_TEST_MESSAGE("skipped: this host has no static busybox");
    return;
  }
  Workshop workshop;
  const auto assets = workshop.prepare();
  BOOST_REQUIRE_MESSAGE(assets.ok(), (assets.ok() ? "" : assets.error().what()));
  BOOST_TEST(assets->tuned);
  BOOST_TEST(assets->kernel_version == "6.1.192-capsa");
  BOOST_TEST((*read_file(assets->kernel, 1 << 20) == make_vmlinux()));
  BOOST_TEST(fs::file_size(assets->initrd) > 1000U);
  const auto guests = list_guests(workshop.root());
  BOOST_REQUIRE(guests.size() == 1U);
  BOOST_TEST(guests.front().manifest.agent_key == *file_key(workshop.agent()));
  // Doing it again changes nothing.
  const auto again = workshop.prepare();
  BOOST_REQUIRE(again.ok());
  BOOST_TEST(again->initrd == assets->initrd);
  BOOST_TEST(list_guests(workshop.root()).size() == 1U);
}

BOOST_AUTO_TEST_CASE(another_agent_makes_another_guest) {
  if (!host_has_busybox()) return;
  Workshop workshop;
  const auto first = workshop.prepare();
  workshop.set_agent("2");
  const auto second = workshop.prepare();
  BOOST_REQUIRE((first.ok() && second.ok()));
  BOOST_TEST(first->initrd != second->initrd);
  BOOST_TEST(list_guests(workshop.root()).size() == 2U);
  // The kernel is there once.
  BOOST_TEST(fs::hard_link_count(second->kernel) == 3U);
}

BOOST_AUTO_TEST_CASE(a_missing_agent_is_told_before_anything_is_fetched) {
  const Scratch root;
  const FakePrograms programs(true);
  const Variable nowhere("CAPSA_LIBEXEC", "/nonexistent");
  const auto assets =
      prepare({.cache_dir = root.path(), .agent = programs.directory() / "no-agent"});
  BOOST_REQUIRE(!assets.ok());
  BOOST_TEST((assets.error().code() == ErrorCode::NotFound));
  BOOST_TEST(assets.error().message().find("no-agent") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
