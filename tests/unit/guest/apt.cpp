#include <boost/test/unit_test.hpp>
#include <tests/unit/guest/packages.hpp>
#include <tools/guest/apt.hpp>

using namespace capsa;
using namespace capsa::guest;
using namespace capsa::guest::samples;

namespace {

bool mentions(const std::string& text, const char* what) {
  return text.find(what) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fetching_packages)

BOOST_AUTO_TEST_CASE(a_meta_package_leads_to_the_real_one) {
  FakePrograms programs;
  programs.add("apt-cache",
               "[ \"$1 $2 $3\" = 'depends --important linux-image-cloud-amd64' ] || exit 1\n"
               "echo linux-image-cloud-amd64; echo '  Depends: firmware'\n"
               "echo '  Depends: linux-image-6.1.0-1-cloud-amd64'");
  BOOST_TEST(*resolve_package("linux-image-cloud-amd64", "linux-image-") ==
             "linux-image-6.1.0-1-cloud-amd64");
}

BOOST_AUTO_TEST_CASE(an_unknown_package_suggests_an_update) {
  FakePrograms programs;
  programs.add("apt-cache", "exit 0");
  for (const auto& outcome : {resolve_package("meta", "linux-"), package_version("package")}) {
    BOOST_REQUIRE(!outcome.ok());
    BOOST_TEST((outcome.error().code() == ErrorCode::NotFound));
    BOOST_TEST(mentions(outcome.error().hint(), "apt-get update"));
  }
  programs.add("apt-cache", "echo 'E: No packages found' >&2; exit 100");
  const auto outcome = package_version("package");
  BOOST_REQUIRE(!outcome.ok());
  BOOST_TEST((outcome.error().code() == ErrorCode::IoError));
  BOOST_TEST(mentions(outcome.error().message(), "E: No packages found"));
  BOOST_TEST(mentions(outcome.error().hint(), "apt-get update"));
}

BOOST_AUTO_TEST_CASE(a_system_without_apt_is_told_apart) {
  const FakePrograms programs(true);
  const auto outcome = resolve_package("meta", "linux-");
  BOOST_REQUIRE(!outcome.ok());
  BOOST_TEST((outcome.error().code() == ErrorCode::NotFound));
  BOOST_TEST(mentions(outcome.error().message(), "apt-cache"));
  BOOST_TEST(mentions(outcome.error().hint(), "Debian"));
}

BOOST_AUTO_TEST_CASE(no_network_gives_the_last_word_of_apt_and_a_hint) {
  FakePrograms programs;
  programs.add("apt-get",
               "echo 'W: trying' >&2\n"
               "echo 'E: Failed to fetch: Temporary failure resolving' >&2; exit 100");
  const Scratch directory;
  const auto outcome = fetch_package("package", directory.path(), {});
  BOOST_REQUIRE(!outcome.ok());
  BOOST_TEST((outcome.error().code() == ErrorCode::IoError));
  BOOST_TEST(mentions(outcome.error().message(), "Temporary failure resolving"));
  BOOST_TEST(mentions(outcome.error().hint(), "apt-get update"));
}

BOOST_AUTO_TEST_CASE(a_download_that_leaves_nothing_is_an_error) {
  FakePrograms programs;
  programs.add("apt-get", "exit 0");
  const Scratch directory;
  const auto outcome = fetch_package("package", directory.path(), {});
  BOOST_REQUIRE(!outcome.ok());
  BOOST_TEST((outcome.error().code() == ErrorCode::IoError));
}

BOOST_AUTO_TEST_CASE(a_damaged_package_is_an_error_of_dpkg) {
  FakePrograms programs;
  programs.add("apt-get", "echo x >package_1_amd64.deb");
  programs.add("dpkg-deb", "echo 'dpkg-deb: error: not a Debian format archive' >&2; exit 2");
  const Scratch directory;
  const auto outcome = fetch_package("package", directory.path(), {});
  BOOST_REQUIRE(!outcome.ok());
  BOOST_TEST(mentions(outcome.error().message(), "not a Debian format archive"));
}

BOOST_AUTO_TEST_CASE(a_package_is_unpacked_and_its_download_reported) {
  FakePrograms programs;
  programs.add("apt-get",
               "echo 'Get:1 somewhere'; echo 'dlstatus:1:41.7:Retrieving file 1 of 1'\n"
               "echo 'dlstatus:1:nonsense'; echo x >package_1_amd64.deb");
  programs.add("dpkg-deb", "[ \"$1\" = -x ] && mkdir \"$3/boot\" && cp \"$2\" \"$3/boot/file\"");
  const Scratch directory;
  std::vector<std::uint64_t> percents;
  const auto outcome = fetch_package(
      "package", directory.path(), [&](std::string_view, std::uint64_t done, std::uint64_t total) {
        if (total == 100) percents.push_back(done);
      });
  BOOST_REQUIRE(outcome.ok());
  BOOST_TEST(*read_file(directory.path() / "boot/file", 10) == "x\n");
  BOOST_TEST(!std::filesystem::exists(directory.path() / "package_1_amd64.deb"));
  BOOST_TEST((percents == std::vector<std::uint64_t>{41}));
}

BOOST_AUTO_TEST_SUITE_END()
