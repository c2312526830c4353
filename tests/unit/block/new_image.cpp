#include <sys/stat.h>

#include <algorithm>
#include <backends/block/new_image.hpp>
#include <backends/block/qcow2.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <tests/support/scratch_dir.hpp>

namespace capsa::block::test {
namespace {

namespace fs = std::filesystem;

/// The status of a program of QEMU's, which says nothing.
int qemu(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str());
}

std::uint64_t kept_bytes(const fs::path& path) {
  struct stat info {};
  BOOST_REQUIRE(::stat(path.c_str(), &info) == 0);
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

ErrorCode refusal(const result<void>& made) {
  BOOST_REQUIRE(!made.ok());
  return made.error().code();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(block_new_image)

BOOST_AUTO_TEST_CASE(an_empty_qcow2_image_of_any_size_is_one_to_qemu) {
  const tests::ScratchDir directory;
  // Either side of one L1 entry, of one cluster of them, and the largest.
  constexpr std::uint64_t kEntry = std::uint64_t{512} << 20;
  for (const std::uint64_t bytes : {std::uint64_t{512}, kEntry, kEntry + 512, kEntry * 8192,
                                    kEntry * 8192 + 512, kMaxQcow2Bytes}) {
    const auto path = directory.path() / (std::to_string(bytes) + ".qcow2");
    BOOST_TEST_CONTEXT(path) {
      BOOST_TEST_REQUIRE(create_image(path, ImageFormat::Qcow2, bytes).ok());
      BOOST_TEST(image_size(path, ImageFormat::Qcow2).value() == bytes);
      BOOST_TEST(kept_bytes(path) < 128U << 10);
      BOOST_TEST(qemu("qemu-img check " + path.string()) == 0);
      const auto last = std::to_string(bytes - 512);
      BOOST_TEST(qemu("qemu-io -f qcow2 -c 'read -P 0 0 512' -c 'write -P 7 " + last +
                      " 512' -c 'read -P 7 " + last + " 512' " + path.string()) == 0);
      BOOST_TEST(qemu("qemu-img check " + path.string()) == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_raw_image_is_all_hole) {
  const tests::ScratchDir directory;
  const auto path = directory.path() / "raw";
  BOOST_TEST_REQUIRE(create_image(path, ImageFormat::Raw, std::uint64_t{1} << 40).ok());
  BOOST_TEST(fs::file_size(path) == std::uint64_t{1} << 40);
  BOOST_TEST(kept_bytes(path) < 64U << 10);
  BOOST_TEST(image_size(path, ImageFormat::Raw).value() == std::uint64_t{1} << 40);
}

BOOST_AUTO_TEST_CASE(what_is_there_stays_as_it_is) {
  const tests::ScratchDir directory;
  const auto path = directory.file("there", "precious");
  fs::create_symlink("nowhere", directory.path() / "link");
  for (const auto& one : {path, directory.path() / "link", directory.path()})
    BOOST_CHECK(refusal(create_image(one, ImageFormat::Raw, 512)) == ErrorCode::InvalidConfig);
  BOOST_TEST(fs::file_size(path) == 8U);
  BOOST_TEST(!fs::exists(directory.path() / "nowhere"));
}

BOOST_AUTO_TEST_CASE(a_size_that_cannot_be_is_refused_and_leaves_nothing) {
  const tests::ScratchDir directory;
  const auto path = directory.path() / "image";
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{511}, std::uint64_t{513},
                                    ~std::uint64_t{0}, ~std::uint64_t{511}}) {
    BOOST_CHECK(refusal(create_image(path, ImageFormat::Raw, bytes)) == ErrorCode::InvalidConfig);
    BOOST_CHECK(refusal(create_image(path, ImageFormat::Qcow2, bytes)) == ErrorCode::InvalidConfig);
  }
  BOOST_CHECK(refusal(create_image(path, ImageFormat::Qcow2, kMaxQcow2Bytes + 512)) ==
              ErrorCode::InvalidConfig);
  BOOST_CHECK(refusal(create_image(path, ImageFormat::Vhdx, 512)) == ErrorCode::InvalidConfig);
  BOOST_CHECK(refusal(create_image(directory.path() / "none" / "image", ImageFormat::Raw, 512)) ==
              ErrorCode::NotFound);
  BOOST_TEST(!fs::exists(path));
}

BOOST_AUTO_TEST_CASE(an_image_without_a_name_is_nowhere_to_be_found) {
  const tests::ScratchDir directory;
  const auto image = create_unnamed_qcow2(directory.path(), 1U << 20);
  BOOST_TEST_REQUIRE(image.ok());
  BOOST_TEST(fs::is_empty(directory.path()));
  const auto path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(image->get());
  BOOST_TEST(image_size(path, ImageFormat::Qcow2).value() == 1U << 20);
  const auto nowhere = create_unnamed_qcow2(directory.path() / "none", 1U << 20);
  BOOST_REQUIRE(!nowhere.ok());
  BOOST_CHECK(nowhere.error().code() == ErrorCode::NotFound);
  BOOST_TEST(nowhere.error().hint().find("scratch_dir") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_size_is_told_in_whole_sectors_and_only_of_an_image) {
  const tests::ScratchDir directory;
  BOOST_TEST(image_size(directory.file("odd", std::string(1300, 'x')), ImageFormat::Raw).value() ==
             1024U);
  const auto code = [](const fs::path& path, ImageFormat format) {
    const auto size = image_size(path, format);
    BOOST_REQUIRE(!size.ok());
    return size.error().code();
  };
  BOOST_CHECK(code(directory.path(), ImageFormat::Raw) == ErrorCode::InvalidConfig);
  BOOST_CHECK(code("/dev/null", ImageFormat::Raw) == ErrorCode::InvalidConfig);
  BOOST_CHECK(code(directory.path() / "none", ImageFormat::Raw) == ErrorCode::NotFound);
  BOOST_CHECK(code(directory.path() / "none", ImageFormat::Qcow2) == ErrorCode::NotFound);
  BOOST_CHECK(code(directory.file("text", std::string(200, 'x')), ImageFormat::Qcow2) ==
              ErrorCode::InvalidConfig);
  BOOST_CHECK(code(directory.path() / "odd", ImageFormat::Vhdx) == ErrorCode::InvalidConfig);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::block::test
