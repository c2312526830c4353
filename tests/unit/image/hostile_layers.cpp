#include <boost/test/data/test_case.hpp>
#include <tests/unit/image/layer_kit.hpp>

namespace capsa::image::test {
namespace {

using tests::TarBuilder;

struct Case {
  const char* name;
  std::string tar;
  const char* message;  ///< a part of it
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

const std::vector<Case> kCases = {
    {"dot_dot", TarBuilder().file("../etc/passwd", "x").finish(), "leads out of the layer"},
    {"dot_dot_inside", TarBuilder().file("a/../../b", "x").finish(), "leads out of the layer"},
    {"dot_dot_at_the_end", TarBuilder().directory("a/..").finish(), "leads out of the layer"},
    {"dot_dot_by_pax", TarBuilder().pax("path", "x/../../y").file("ok", "x").finish(),
     "leads out of the layer"},
    {"dot_dot_by_gnu", TarBuilder().gnu_long('L', "../y").file("ok", "x").finish(),
     "leads out of the layer"},
    {"absolute", TarBuilder().file("/etc/passwd", "x").finish(), "absolute"},
    {"through_a_symlink", TarBuilder().symlink("a", "/etc").file("a/passwd", "x").finish(),
     "symbolic link"},
    {"through_a_symlink_deep",
     TarBuilder().symlink("a/b", "../../..").file("a/b/c/d", "x").finish(), "symbolic link"},
    {"through_a_file", TarBuilder().file("a", "x").file("a/b", "x").finish(), "not a directory"},
    {"hard_link_out", TarBuilder().hard_link("a", "../../etc/passwd").finish(), "out of the layer"},
    {"hard_link_absolute", TarBuilder().hard_link("a", "/etc/passwd").finish(), "out of the layer"},
    {"hard_link_to_nothing", TarBuilder().hard_link("a", "etc/passwd").finish(),
     "not a file of this layer"},
    {"hard_link_through_a_symlink",
     TarBuilder().symlink("l", "/etc").hard_link("a", "l/passwd").finish(),
     "not a file of this layer"},
    {"hard_link_to_a_directory", TarBuilder().directory("d").hard_link("a", "d").finish(),
     "not a file of this layer"},
    {"hard_link_to_a_whiteout", TarBuilder().file(".wh.d", "").hard_link("a", "d").finish(),
     "not a file of this layer"},
    {"character_device", TarBuilder().add({.name = "dev/null", .type = '3'}).finish(),
     "is a device"},
    {"block_device", TarBuilder().add({.name = "dev/sda", .type = '4'}).finish(), "is a device"},
    {"whiteout_of_dot_dot", TarBuilder().file("a/.wh...", "").finish(), "no name"},
    {"whiteout_of_nothing", TarBuilder().file("a/.wh.", "").finish(), "no name"},
    {"below_a_whiteout", TarBuilder().file("a/.wh.b/c", "x").finish(), "cannot be a directory"},
    {"overlay_redirect",
     TarBuilder().pax("SCHILY.xattr.trusted.overlay.redirect", "/etc").directory("a").finish(),
     "overlayfs's own"},
    {"a_directory_replaced", TarBuilder().file("a/b", "x").symlink("a", "/etc").finish(),
     "place of a directory"},
    {"long_name", TarBuilder().pax("path", std::string(256, 'n')).file("ok", "x").finish(),
     "too long"},
    {"long_path", TarBuilder().pax("path", std::string(5000, '/') + "a").file("ok", "x").finish(),
     "too long"},
    {"nul_in_a_name", TarBuilder().pax("path", std::string("a\0b", 3)).file("ok", "x").finish(),
     "NUL"},
    {"no_name", TarBuilder().file("", "x").finish(), "no name"},
    {"the_root_a_link", TarBuilder().symlink("./", "/etc").finish(), "is the root"},
    {"unknown_type", TarBuilder().add({.name = "a", .type = 'V'}).finish(), "type 'V'"},
    {"sparse", TarBuilder().pax("GNU.sparse.major", "1").file("a", "x").finish(), "sparse"},
    {"cut_off", TarBuilder().file("a", std::string(5000, 'x')).bytes().substr(0, 2048),
     "middle of an entry"},
    {"a_huge_file", TarBuilder().pax("size", "18446744073709551615").file("a", "x").finish(),
     "at most"},
    {"a_huge_header", TarBuilder().add({.name = "a", .type = 'x', .size = 1U << 30}).finish(),
     "header of"},
    {"a_bad_record", TarBuilder().add({.name = "a", .type = 'x'}, "99999 path=x\n").finish(),
     "wrong length"},
    {"no_checksum", std::string(512, 'x'), "checksum"},
};

std::string message_of(const result<std::uint64_t>& outcome) {
  return outcome ? "it was accepted" : outcome.error().message();
}

/// Refused, with the layer named, and nothing left.
void check_refused(LayerBench& bench, const LayerBlob& blob, const std::string& part) {
  const auto outcome = unpack_layer(blob, bench.image, bench.limits);
  const auto message = message_of(outcome);
  BOOST_TEST(message.starts_with("layer " + blob.digest + ": "), message);
  BOOST_TEST(message.find(part) != std::string::npos, message);
  BOOST_TEST(!std::filesystem::exists(bench.image));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(image_hostile_layers)

BOOST_DATA_TEST_CASE(a_layer_is_refused_by_name_and_leaves_nothing, kCases, one) {
  LayerBench bench;
  check_refused(bench, bench.blob(one.tar, one.tar), one.message);
}

BOOST_AUTO_TEST_CASE(what_is_not_what_the_image_says_is_refused) {
  const auto tar = TarBuilder().file("a", "x").finish();
  const auto packed = gzip(tar);
  LayerBench bench;
  auto blob = bench.blob(tar, packed);
  blob.digest = sha256("another");
  check_refused(bench, blob, "its digest is wrong");
  blob = bench.blob(tar, packed);
  blob.diff_id = sha256("another");
  check_refused(bench, blob, "its content is not");
  blob = bench.blob(tar, packed);
  blob.size += 1;
  check_refused(bench, blob, "bytes");
  blob.size -= 2;
  check_refused(bench, blob, "more bytes");
  blob.digest = "sha256:../../etc/passwd";
  BOOST_TEST(!unpack_layer(blob, bench.image, {}).ok());
}

BOOST_AUTO_TEST_CASE(packed_data_that_is_damaged_is_refused) {
  const auto tar = TarBuilder().file("a", std::string(5000, 'x')).finish();
  for (const auto& whole : {gzip(tar), zstd(tar)}) {
    LayerBench bench;
    const auto cut = whole.substr(0, whole.size() - 3);
    check_refused(bench, bench.blob(tar, cut), "data is damaged");
    check_refused(bench, bench.blob(tar, whole + "rest"), "data is damaged");
  }
  LayerBench bench;
  check_refused(bench, bench.blob(tar, "BZh91AY"), "bzip2");
}

BOOST_AUTO_TEST_CASE(a_decompression_bomb_is_refused) {
  LayerBench bench;
  bench.limits.ratio_free_bytes = 1U << 20;
  const auto tar = TarBuilder().file("zeroes", std::string(16U << 20, '\0')).finish();
  for (const auto& packed : {gzip(tar), zstd(tar)})
    check_refused(bench, bench.blob(tar, packed), "decompression bomb");
  bench.limits = {};
  BOOST_TEST(bench.unpack(tar, gzip(tar)).ok());
  std::filesystem::remove(bench.image);
  bench.limits.unpacked_bytes = 1U << 20;
  check_refused(bench, bench.blob(tar, tar), "at most");
  // Behind the end of the archive, where no entry says how much there is.
  const auto tail = std::string(2U << 20, '\0');
  check_refused(bench, bench.blob(tail, gzip(tail)), "it unpacks to more than");
}

BOOST_AUTO_TEST_CASE(too_many_entries_and_names_are_refused) {
  LayerBench bench;
  bench.limits.entries = 10;
  TarBuilder tar;
  for (int i = 0; i < 11; ++i)
    tar.file(std::to_string(i), "");
  check_refused(bench, bench.blob(tar.finish(), tar.finish()), "entries");
  // Few entries that make many directories.
  const auto deep = TarBuilder().file("a/b/c/d/e/f/g/h/i/j/k", "").finish();
  check_refused(bench, bench.blob(deep, deep), "more than a layer may have");
  bench.limits = {};
  bench.limits.name_bytes = 100;
  const auto longer = TarBuilder()
                          .file(std::string(60, 'a') + "/" + std::string(39, 'b'), "")
                          .directory("c")
                          .directory("d")
                          .finish();
  check_refused(bench, bench.blob(longer, longer), "more than a layer may have");
}

BOOST_AUTO_TEST_CASE(a_blob_that_is_no_file_is_refused) {
  LayerBench bench;
  const auto tar = TarBuilder().finish();
  auto blob = bench.blob(tar, tar);
  blob.file = bench.directory.path();
  check_refused(bench, blob, "is not a file");
  blob.file = bench.directory.path() / "absent";
  check_refused(bench, blob, "absent");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::image::test
