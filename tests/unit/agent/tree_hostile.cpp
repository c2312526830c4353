#include "tree_kit.hpp"

/// What a guest may send in place of a tree.
using namespace capsa;
using namespace capsa::agent;
using namespace capsa::agent::test;

namespace {

using Kind = TreeFailure::Kind;

/// A place to write to, in a directory that must stay as it is otherwise.
struct Place {
  Place() {
    std::filesystem::create_directories(dir / "victim");
    put(dir / "victim/file", "untouched");
    before = all_below(dir.path() / "victim");
  }
  std::optional<TreeFailure> write(const Records& records, TreeLimits limits = {}) {
    TreeSink sink(dir / "to", limits);
    return write_all(sink, records.bytes);
  }
  bool untouched() {
    auto files = std::filesystem::directory_iterator(dir.path());
    for (const auto& entry : files)
      if (entry.path().filename() != "victim" && entry.path().filename() != "to") return false;
    return all_below(dir.path() / "victim") == before;
  }
  static std::map<std::string, Kept> all_below(const std::filesystem::path& path) {
    return test::all_below(path.string());
  }

  ScratchDir dir;
  std::map<std::string, Kept> before;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(agent_tree_hostile)

BOOST_AUTO_TEST_CASE(a_name_is_one_component) {
  for (const std::string& name :
       {std::string(".."), std::string("."), std::string(), std::string("../victim"),
        std::string("/etc"), std::string("a/b"), std::string("a\0b", 3), std::string(256, 'a')}) {
    for (const int what : {0, 1, 2, 3}) {
      Place place;
      Records records;
      records.directory("");
      if (what == 0) records.directory(name);
      if (what == 1) records.file(name);
      if (what == 2) records.symlink(name, "x");
      if (what == 3) records.skipped(name);
      const auto failure = place.write(records);
      BOOST_REQUIRE(failure);
      BOOST_TEST((failure->kind == Kind::Malformed));
      BOOST_TEST(place.untouched());
      BOOST_TEST(Place::all_below(place.dir.path() / "to").size() == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_link_and_then_files_beneath_it_write_nothing_elsewhere) {
  for (const std::string& target :
       {std::string("../victim"), std::string(".."), std::string("/")}) {
    Place place;
    const auto failure = place.write(Records()
                                         .directory("")
                                         .symlink("d", target)
                                         .directory("d")
                                         .file("file")
                                         .content("bad")
                                         .end());
    BOOST_REQUIRE(failure);
    BOOST_TEST((failure->kind == Kind::System));
    BOOST_TEST(failure->message == "make the directory " + (place.dir / "to/d"));
    BOOST_TEST(place.untouched());
  }
}

BOOST_AUTO_TEST_CASE(a_link_and_then_a_file_of_its_name_replace_the_link) {
  Place place;
  BOOST_REQUIRE(!place.write(
      Records().directory("").symlink("f", "../victim/file").file("f").content("new").end().end()));
  BOOST_TEST(contents(place.dir / "to/f") == "new");
  BOOST_TEST(place.untouched());
}

BOOST_AUTO_TEST_CASE(a_name_that_comes_twice_is_replaced_or_refused) {
  Place place;
  BOOST_TEST(!place.write(Records()
                              .directory("")
                              .file("f")
                              .content("one")
                              .end()
                              .file("f")
                              .content("two")
                              .end()
                              .directory("d")
                              .end()
                              .directory("d")
                              .end()
                              .end()));
  BOOST_TEST(contents(place.dir / "to/f") == "two");
  BOOST_TEST(place.write(Records().directory("").file("f").end().directory("f")).has_value());
  BOOST_TEST(place.write(Records().directory("").directory("d").end().file("d").end()).has_value());
  BOOST_TEST(place.write(Records().directory("").symlink("d", "x")).has_value());
  BOOST_TEST(std::filesystem::is_directory(place.dir / "to/d"));
}

BOOST_AUTO_TEST_CASE(the_first_is_a_file_or_a_directory_without_a_name) {
  for (const auto& records :
       {Records().symlink("", "/etc"), Records().skipped(""), Records().directory("victim"),
        Records().file("victim"), Records().content("x"), Records().end()}) {
    Place place;
    const auto failure = place.write(records);
    BOOST_REQUIRE(failure);
    BOOST_TEST((failure->kind == Kind::Malformed));
    BOOST_TEST(place.untouched());
    BOOST_TEST(!std::filesystem::exists(place.dir / "to"));
  }
}

BOOST_AUTO_TEST_CASE(records_out_of_their_place_are_refused) {
  for (const auto& records :
       {Records().directory("").content("x"), Records().directory("").file("f").file("g"),
        Records().directory("").file("f").directory("d"), Records().directory("").end().end(),
        Records().directory("").end().file("f"), Records().file("").end().file("f"),
        Records().directory("").file("f").content(""), Records().directory("").add({}),
        Records().directory("").symlink("l", std::string("a\0b", 3))}) {
    Place place;
    const auto failure = place.write(records);
    BOOST_REQUIRE(failure);
    BOOST_TEST((failure->kind == Kind::Malformed));
    BOOST_TEST(place.untouched());
  }
}

BOOST_AUTO_TEST_CASE(a_tree_that_ends_in_its_middle_is_no_tree) {
  for (const auto& records : {Records(), Records().directory(""), Records().file("").content("x"),
                              Records().directory("").file("f").content("x")}) {
    Place place;
    const auto failure = place.write(records);
    BOOST_REQUIRE(failure);
    BOOST_TEST((failure->kind == Kind::Malformed));
    // What is not whole is not there.
    BOOST_TEST(!std::filesystem::exists(place.dir / "to/f"));
    BOOST_TEST(!std::filesystem::is_regular_file(place.dir / "to"));
    BOOST_TEST(place.untouched());
    if (std::filesystem::exists(place.dir / "to"))
      BOOST_TEST(Place::all_below(place.dir.path() / "to").size() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(the_limits_hold_where_a_tree_is_written) {
  Place place;
  auto failure = place.write(Records().directory("").file("f").content("12345"), {10, 4});
  BOOST_REQUIRE(failure);
  BOOST_TEST((failure->kind == Kind::Limit));
  BOOST_TEST(failure->message.find(place.dir / "to/f") != std::string::npos);

  Records many;
  many.directory("");
  for (int i = 0; i < 10; ++i)
    many.skipped("s");
  failure = place.write(many, {10, 4});
  BOOST_REQUIRE(failure);
  BOOST_TEST((failure->kind == Kind::Limit));

  Records deep;
  deep.directory("");
  for (std::size_t depth = 0; depth < kMaxTreeDepth; ++depth)
    deep.directory("d");
  failure = place.write(deep);
  BOOST_REQUIRE(failure);
  BOOST_TEST((failure->kind == Kind::Unsupported));
  BOOST_TEST(place.untouched());
}

BOOST_AUTO_TEST_CASE(set_id_bits_and_strange_modes_are_not_taken_over) {
  Place place;
  BOOST_REQUIRE(!place.write(
      Records().directory("", 06755).file("f", 0177777).end().directory("d", 07777).end().end()));
  BOOST_TEST((lstat_of(place.dir / "to").st_mode & 07777) == 0755U);
  BOOST_TEST((lstat_of(place.dir / "to/f").st_mode & 07777) == 0777U);
  BOOST_TEST((lstat_of(place.dir / "to/d").st_mode & 07777) == 01777U);
}

BOOST_AUTO_TEST_CASE(a_record_above_a_mebibyte_is_refused_before_it_comes) {
  Place place;
  TreeSink sink(place.dir / "to");
  const auto failure = sink.feed(as_bytes("\xff\xff\x7f"));
  BOOST_REQUIRE(failure);
  BOOST_TEST((failure->kind == Kind::Malformed));
}

BOOST_AUTO_TEST_SUITE_END()
