#include <backends/firmware/ovmf.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/support/scratch_dir.hpp>

using namespace capsa;
using namespace capsa::firmware;

BOOST_AUTO_TEST_SUITE(ovmf)

BOOST_AUTO_TEST_CASE(each_flavour_has_images_of_its_own) {
  const tests::ScratchDir dir;
  for (const char* name :
       {"OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"})
    dir.file(name, "x");
  const auto plain = find_ovmf(false, dir.path());
  BOOST_TEST_REQUIRE(plain.ok());
  BOOST_TEST(plain->code == dir.path() / "OVMF_CODE_4M.fd");
  BOOST_TEST(plain->variables == dir.path() / "OVMF_VARS_4M.fd");
  const auto secure = find_ovmf(true, dir.path());
  BOOST_TEST_REQUIRE(secure.ok());
  BOOST_TEST(secure->code == dir.path() / "OVMF_CODE_4M.secboot.fd");
  BOOST_TEST(secure->variables == dir.path() / "OVMF_VARS_4M.ms.fd");
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_named_with_the_package_that_has_it) {
  const tests::ScratchDir dir;
  dir.file("OVMF_CODE_4M.fd", "x");
  for (const bool secure : {false, true}) {
    const auto found = find_ovmf(secure, dir.path());
    BOOST_TEST_REQUIRE(!found.ok());
    BOOST_TEST((found.error().code() == ErrorCode::NotFound));
    BOOST_TEST(found.error().hint() == "apt-get install ovmf");
    const auto name = dir.path() / (secure ? "OVMF_CODE_4M.secboot.fd" : "OVMF_VARS_4M.fd");
    BOOST_TEST(found.error().message().find(name.native()) != std::string::npos,
               found.error().message());
  }
  BOOST_TEST((find_ovmf(false, dir.path() / "none").error().code() == ErrorCode::NotFound));
}

BOOST_AUTO_TEST_SUITE_END()
