#include <sys/stat.h>

#include <actors/guest/cache.hpp>
#include <backends/program/program.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/unit/guest/samples.hpp>
#include <tools/guest/cpio.hpp>

using namespace capsa;
using namespace capsa::guest;
using namespace capsa::guest::samples;

namespace {

std::string sample_archive(bool device) {
  CpioWriter archive;
  archive.directory("etc");
  archive.directory("tmp", 01777);
  // Names and contents of every length modulo four, so that all paddings occur.
  for (std::size_t i = 0; i < 8; ++i) {
    const auto added =
        archive.file("etc/" + std::string(i + 1, 'n'), 0640, std::string(i * 3, 'c'));
    BOOST_REQUIRE(added.ok());
  }
  archive.symlink("etc/link", "../tmp");
  if (device) archive.character_device("null", 0666, 1, 3);
  return archive.finish();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cpio)

BOOST_AUTO_TEST_CASE(the_cpio_program_unpacks_what_was_packed) {
  if (!program::run({.words = {"cpio", "--version"}})) {
    BOOST_TEST_MESSAGE("skipped: there is no cpio program");
    return;
  }
  const Scratch scratch;
  BOOST_REQUIRE(write_file(scratch.path() / "archive", sample_archive(false)).ok());
  const auto listed = program::run(
      {.words = {"cpio", "-itv", "--quiet", "-F", (scratch.path() / "archive").string()}});
  BOOST_REQUIRE(listed.ok());
  BOOST_TEST(listed->find("etc/link -> ../tmp") != std::string::npos);
  BOOST_TEST(listed->find("drwxrwxrwt") != std::string::npos);

  const auto out = scratch.path() / "out";
  std::filesystem::create_directory(out);
  const auto unpacked = program::run({.words = {"cpio", "-id", "--quiet", "--no-absolute-filenames",
                                                "-F", (scratch.path() / "archive").string()},
                                      .directory = out});
  BOOST_REQUIRE_MESSAGE(unpacked.ok(), (unpacked.ok() ? "" : unpacked.error().what()));
  for (std::size_t i = 0; i < 8; ++i) {
    const auto content = read_file(out / "etc" / std::string(i + 1, 'n'), 1000);
    BOOST_REQUIRE(content.ok());
    BOOST_TEST(*content == std::string(i * 3, 'c'));
  }
  struct stat status = {};
  BOOST_REQUIRE(::stat((out / "etc/n").c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 07777) == 0640U);
  BOOST_TEST(std::filesystem::read_symlink(out / "etc/link") == "../tmp");
}

BOOST_AUTO_TEST_CASE(a_device_node_keeps_its_numbers) {
  if (!program::run({.words = {"cpio", "--version"}})) return;
  const Scratch scratch;
  BOOST_REQUIRE(write_file(scratch.path() / "archive", sample_archive(true)).ok());
  const auto listed = program::run(
      {.words = {"cpio", "-itvn", "--quiet", "-F", (scratch.path() / "archive").string()}});
  BOOST_REQUIRE(listed.ok());
  BOOST_TEST(listed->find("crw-rw-rw-") != std::string::npos);
  BOOST_TEST(listed->find("1,   3") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_same_calls_give_the_same_bytes) {
  BOOST_TEST((sample_archive(true) == sample_archive(true)));
  CpioWriter archive;
  const auto first = archive.finish();
  BOOST_TEST((archive.finish() == first));
}

BOOST_AUTO_TEST_CASE(an_empty_archive_is_its_trailer) {
  CpioWriter archive;
  const auto bytes = archive.finish();
  BOOST_TEST(bytes ==
             std::string("07070100000001000000000000000000000000000000010000000000000000"
                         "000000000000000000000000000000000000000B00000000TRAILER!!!\0\0\0\0",
                         124));
}

BOOST_AUTO_TEST_SUITE_END()
