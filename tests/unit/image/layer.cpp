#include <sys/stat.h>

#include <tests/unit/image/layer_kit.hpp>

namespace capsa::image::test {
namespace {

using tests::TarBuilder;
namespace fs = std::filesystem;

std::string sample() {
  TarBuilder tar;
  tar.directory("./").directory("./etc").file("./etc/hostname", "box\n", 0640);
  tar.add({.name = "./etc/owned", .mode = 04755, .uid = 1000, .gid = 100}, "x");
  tar.symlink("./etc/link", "../usr/share/none").hard_link("./etc/again", "./etc/hostname");
  tar.file("./empty", "");
  // Below, at and above whole blocks; and what fits behind an inode and what does not.
  for (const std::size_t size : {1U, 4031U, 4032U, 4033U, 4095U, 4096U, 4097U, 8192U, 70000U})
    tar.file("./sizes/" + std::to_string(size), std::string(size, 'a' + size % 26));
  for (int i = 0; i < 700; ++i)
    tar.file("./many/a-file-with-some-name-" + std::to_string(i), std::to_string(i));
  tar.add({.name = "./run/fifo", .type = '6'});
  tar.gnu_long('L', "./deep/" + std::string(120, 'n') + "/file").file("cut", "long");
  tar.pax("path", "deep/" + std::string(200, 'p')).file("cut", "pax");
  tar.add({.name = "tail", .prefix = "deep/prefix"}, "prefixed");
  return tar.finish();
}

/// Checks the image by fsck.erofs and unpacks it beside.
fs::path extract(const LayerBench& bench) {
  const auto out = bench.directory.path() / "out";
  const auto done = program::run(
      {.words = {"fsck.erofs", "--extract=" + out.string(), "--preserve", bench.image.string()}});
  BOOST_REQUIRE_MESSAGE(done.ok(), (done.ok() ? "" : done.error().what()));
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(image_layer)

BOOST_AUTO_TEST_CASE(a_layer_becomes_a_file_system_that_fsck_accepts_and_holds_the_same_files) {
  LayerBench bench;
  const auto tar = sample();
  const auto made = bench.unpack(tar, gzip(tar));
  BOOST_REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().what()));
  BOOST_TEST(*made == fs::file_size(bench.image));
  BOOST_TEST(*made % 4096 == 0U);
  if (!have("fsck.erofs")) return;
  const auto out = extract(bench);
  BOOST_TEST(content(out / "etc/hostname") == "box\n");
  BOOST_TEST(fs::read_symlink(out / "etc/link") == "../usr/share/none");
  BOOST_TEST(content(out / "etc/again") == "box\n");
  BOOST_TEST(fs::file_size(out / "empty") == 0U);
  for (const std::size_t size : {1U, 4031U, 4032U, 4033U, 4095U, 4096U, 4097U, 8192U, 70000U})
    BOOST_TEST((content(out / "sizes" / std::to_string(size)) ==
                std::string(size, static_cast<char>('a' + size % 26))));
  for (int i = 0; i < 700; ++i)
    BOOST_TEST(content(out / "many" / ("a-file-with-some-name-" + std::to_string(i))) ==
               std::to_string(i));
  BOOST_TEST(fs::is_fifo(out / "run/fifo"));
  BOOST_TEST(content(out / "deep" / std::string(120, 'n') / "file") == "long");
  BOOST_TEST(content(out / "deep" / std::string(200, 'p')) == "pax");
  BOOST_TEST(content(out / "deep/prefix/tail") == "prefixed");
  struct stat status = {};
  BOOST_REQUIRE(::stat((out / "etc/hostname").c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 07777) == 0640U);
  BOOST_TEST(status.st_mtime == 1700000000);
  if (::geteuid() != 0) return;
  BOOST_REQUIRE(::stat((out / "etc/owned").c_str(), &status) == 0);
  BOOST_TEST(status.st_uid == 1000U);
  BOOST_TEST(status.st_gid == 100U);
}

BOOST_AUTO_TEST_CASE(plain_gzip_and_zstd_give_the_same_image_also_in_several_members) {
  const auto tar = sample();
  const auto half = tar.size() / 2;
  std::string first;
  for (const auto& packed :
       {tar, gzip(tar), zstd(tar), gzip(tar.substr(0, half)) + gzip(tar.substr(half)),
        zstd(tar.substr(0, half)) + zstd(tar.substr(half))}) {
    LayerBench bench;
    const auto made = bench.unpack(tar, packed);
    BOOST_REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().what()));
    const auto image = content(bench.image);
    if (first.empty()) first = image;
    BOOST_TEST((image == first));
  }
}

BOOST_AUTO_TEST_CASE(links_whiteouts_and_attributes_are_as_the_kernel_wants_them) {
  if (!have("dump.erofs")) return;
  LayerBench bench;
  TarBuilder tar;
  tar.file("a/file", "x").hard_link("a/two", "a/file").hard_link("b/three", "a/two");
  tar.file("a/.wh.gone", "").file("c/.wh..wh..opq", "").file("c/new", "n");
  tar.pax("SCHILY.xattr.security.capability", std::string("\1\0\0\2\0\4\0\0\0\0\0\0", 12));
  tar.file("cap", "x").file("setuid", "x", 04755);
  BOOST_REQUIRE(bench.unpack(tar.finish()).ok());
  const auto show = [&](const std::string& path) {
    auto text = program::run({.words = {"dump.erofs", "--path=" + path, bench.image.string()}});
    BOOST_REQUIRE_MESSAGE(text.ok(), (text.ok() ? "" : text.error().what()));
    return *text;
  };
  BOOST_TEST(show("/b/three").find("Links: 3") != std::string::npos);
  BOOST_TEST(show("/a/gone").find("char dev") != std::string::npos);
  // The attributes themselves are read in a guest; here, that there are some.
  BOOST_TEST(show("/c").find("Xattr size: 32") != std::string::npos);
  BOOST_TEST(show("/cap").find("Xattr size: 40") != std::string::npos);
  // It shows but the permissions of a mode: the whole of it is 4 bytes into the inode.
  const auto setuid = show("/setuid");
  const auto nid = std::stoul(setuid.substr(setuid.find("NID: ") + 5));
  const auto image = content(bench.image);
  const auto mode = static_cast<unsigned char>(image.at(nid * 32 + 4)) |
                    static_cast<unsigned char>(image.at(nid * 32 + 5)) << 8;
  BOOST_TEST(mode == (S_IFREG | 04755));
}

BOOST_AUTO_TEST_CASE(the_last_entry_of_one_name_counts_and_names_without_parents_have_some) {
  if (!have("fsck.erofs")) return;
  LayerBench bench;
  TarBuilder tar;
  tar.file("x/y/z", "old").file("x/y/z", "new").directory("x", 0700);
  tar.symlink("turned", "x").directory("turned").file("turned/in", "1");
  BOOST_REQUIRE(bench.unpack(tar.finish()).ok());
  const auto out = extract(bench);
  BOOST_TEST(content(out / "x/y/z") == "new");
  BOOST_TEST(content(out / "turned/in") == "1");
  struct stat status = {};
  BOOST_REQUIRE(::stat((out / "x").c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 07777) == 0700U);
  BOOST_REQUIRE(::stat((out / "x/y").c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 07777) == 0755U);
}

BOOST_AUTO_TEST_CASE(an_empty_layer_is_an_empty_directory) {
  LayerBench bench;
  BOOST_REQUIRE(bench.unpack(std::string(1024, '\0')).ok());
  if (!have("fsck.erofs")) return;
  BOOST_TEST(fs::is_empty(extract(bench)));
}

BOOST_AUTO_TEST_CASE(progress_is_told_in_bytes_of_the_file) {
  LayerBench bench;
  const auto tar = sample();
  std::uint64_t last = 0;
  const auto blob = bench.blob(tar, tar);
  BOOST_REQUIRE(unpack_layer(blob, bench.image, {}, [&](std::uint64_t done) {
                  BOOST_TEST(done > last);
                  last = done;
                }).ok());
  BOOST_TEST(last == tar.size());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::image::test
