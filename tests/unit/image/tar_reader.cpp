#include <backends/image/tar_reader.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/support/tar_builder.hpp>

namespace capsa::image::test {
namespace {

using tests::TarBuilder;

/// Keeps what it is told.
struct Collector final : TarSink {
  result<void> begin(TarEntry entry) override {
    entries.push_back(std::move(entry));
    contents.emplace_back();
    return {};
  }
  result<void> data(std::span<const std::byte> bytes) override {
    contents.back().append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  result<void> end() override {
    ++ended;
    return {};
  }
  std::vector<TarEntry> entries;
  std::vector<std::string> contents;
  std::size_t ended = 0;
};

Collector read(const std::string& tar, std::size_t piece = 4096) {
  Collector collector;
  TarReader reader(collector, {});
  const auto bytes = std::as_bytes(std::span(tar));
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto done = reader.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
    BOOST_REQUIRE_MESSAGE(done.ok(), (done.ok() ? "" : done.error().what()));
  }
  BOOST_TEST(reader.finish().ok());
  BOOST_TEST(collector.ended == collector.entries.size());
  return collector;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(image_tar_reader)

BOOST_AUTO_TEST_CASE(pieces_of_every_size_give_the_same_entries) {
  TarBuilder tar;
  tar.file("a", std::string(1000, 'a')).pax("path", std::string(300, 'p')).file("b", "bb");
  tar.gnu_long('K', std::string(200, 'k')).add({.name = "l", .type = '2'}).directory("d");
  for (const std::size_t piece : {1U, 7U, 511U, 512U, 513U, 100000U}) {
    const auto got = read(tar.finish(), piece);
    BOOST_REQUIRE(got.entries.size() == 4U);
    BOOST_TEST(got.contents[0] == std::string(1000, 'a'));
    BOOST_TEST(got.entries[1].path == std::string(300, 'p'));
    BOOST_TEST(got.contents[1] == "bb");
    BOOST_TEST(got.entries[2].link == std::string(200, 'k'));
    BOOST_CHECK(got.entries[3].kind == TarEntry::Kind::Directory);
  }
}

BOOST_AUTO_TEST_CASE(extended_headers_hold_for_one_entry_and_global_ones_for_none) {
  TarBuilder tar;
  tar.pax("comment", "0123", 'g').pax("uid", "100000");
  tar.file("a", "").file("b", "");
  tar.pax("mtime", "1234567890.5").file("c", "");
  tar.pax("mtime", "-1.25").file("d", "");
  tar.pax("SCHILY.xattr.user.key", "va=l\nue").file("e", "");
  const auto got = read(tar.finish());
  BOOST_REQUIRE(got.entries.size() == 5U);
  BOOST_TEST(got.entries[0].uid == 100000U);
  BOOST_TEST(got.entries[1].uid == 0U);
  BOOST_TEST(got.entries[2].mtime == 1234567890);
  BOOST_TEST(got.entries[2].mtime_nsec == 500000000U);
  BOOST_TEST(got.entries[3].mtime == -2);
  BOOST_TEST(got.entries[3].mtime_nsec == 750000000U);
  BOOST_REQUIRE(got.entries[4].xattrs.size() == 1U);
  BOOST_TEST(got.entries[4].xattrs[0].first == "user.key");
  BOOST_TEST(got.entries[4].xattrs[0].second == "va=l\nue");
}

BOOST_AUTO_TEST_CASE(numbers_in_binary_are_read_and_too_large_ones_refused) {
  const auto with_mtime = [](const std::string& field) {
    auto tar = TarBuilder().file("a", "").finish();
    tar.replace(136, 12, field);
    TarBuilder::seal(tar.data());
    return tar;
  };
  const auto got = read(with_mtime(std::string("\x80\0\0\0\0\0\0\1\0\0\0\0", 12)));
  BOOST_TEST(got.entries.at(0).mtime == std::int64_t{1} << 32);
  const auto before = read(with_mtime(std::string(11, '\xff') + "\xfe"));
  BOOST_TEST(before.entries.at(0).mtime == -2);
  Collector collector;
  TarReader reader(collector, {});
  const auto large = with_mtime(std::string("\x80\1\0\0\0\0\0\0\0\0\0\0", 12));
  BOOST_TEST(!reader.feed(std::as_bytes(std::span(large))).ok());
}

BOOST_AUTO_TEST_CASE(an_archive_may_end_without_empty_blocks_but_not_inside_an_entry) {
  const auto tar = TarBuilder().file("a", "x").bytes();
  for (std::size_t length = 0; length <= tar.size(); ++length) {
    Collector collector;
    TarReader reader(collector, {});
    BOOST_REQUIRE(reader.feed(std::as_bytes(std::span(tar)).first(length)).ok());
    BOOST_TEST(reader.finish().ok() == (length == 0 || length == tar.size()), "length " << length);
  }
}

BOOST_AUTO_TEST_CASE(links_have_no_content_whatever_their_size_says) {
  auto tar = TarBuilder().file("a", "x").add({.name = "b", .type = '1', .link = "a", .size = 700});
  const auto got = read(tar.file("c", "c").finish());
  BOOST_REQUIRE(got.entries.size() == 3U);
  BOOST_TEST(got.entries[1].size == 0U);
  BOOST_TEST(got.contents[2] == "c");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::image::test
