#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tree_kit.hpp"

using namespace capsa;
using namespace capsa::agent;
using namespace capsa::agent::test;

namespace {

using Kind = TreeFailure::Kind;

std::optional<TreeFailure> copy(const std::string& from, const std::string& to,
                                std::size_t piece = 1000) {
  TreeSource source(from, false);
  std::string bytes;
  if (auto failure = read_all(source, bytes)) return failure;
  TreeSink sink(to);
  auto failure = write_all(sink, bytes, piece);
  if (!failure) BOOST_TEST((sink.stats() == source.stats()));
  return failure;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(agent_tree)

BOOST_AUTO_TEST_CASE(a_directory_is_copied_with_modes_times_and_links) {
  ScratchDir dir;
  make_sample(dir / "from");
  const auto before = all_below(dir / "from");
  BOOST_REQUIRE(before.size() == 9U);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
    const auto to = dir / ("to" + std::to_string(piece));
    BOOST_REQUIRE(!copy(dir / "from", to, piece));
    BOOST_TEST((all_below(to) == before));
  }
}

BOOST_AUTO_TEST_CASE(what_was_copied_is_counted) {
  ScratchDir dir;
  make_sample(dir / "from");
  TreeSource source(dir / "from", false);
  std::string bytes;
  BOOST_REQUIRE(!read_all(source, bytes));
  BOOST_TEST((source.stats() == CopyStats{3, 3, 3, 0, 200'010}));
}

BOOST_AUTO_TEST_CASE(a_file_alone_is_copied_under_the_name_given) {
  ScratchDir dir;
  put(dir / "a", "content");
  ::chmod((dir / "a").c_str(), 0751);
  set_time(dir / "a", 1'000'000'000, 7);
  BOOST_REQUIRE(!copy(dir / "a", dir / "new/dir/b"));
  BOOST_TEST(contents(dir / "new/dir/b") == "content");
  const auto status = lstat_of(dir / "new/dir/b");
  BOOST_TEST((status.st_mode & 07777) == 0751U);
  BOOST_TEST(status.st_mtim.tv_sec == 1'000'000'000);
  BOOST_TEST(status.st_mtim.tv_nsec == 7);
}

BOOST_AUTO_TEST_CASE(the_path_that_is_named_may_be_a_symlink_to_what_is_meant) {
  ScratchDir dir;
  put(dir / "a", "content");
  std::filesystem::create_symlink("a", dir / "link");
  BOOST_REQUIRE(!copy(dir / "link", dir / "b"));
  BOOST_TEST(S_ISREG(lstat_of(dir / "b").st_mode));
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_there_is_added_to_and_keeps_its_mode) {
  ScratchDir dir;
  make_sample(dir / "from");
  std::filesystem::create_directories(dir / "to/sub");
  ::chmod((dir / "to").c_str(), 0700);
  ::chmod((dir / "to/sub").c_str(), 0711);
  put(dir / "to/other", "stays");
  put(dir / "to/program", "old");
  BOOST_REQUIRE(!copy(dir / "from", dir / "to/"));
  BOOST_TEST(contents(dir / "to/other") == "stays");
  BOOST_TEST(contents(dir / "to/program") == "#!/bin/sh\n");
  BOOST_TEST((lstat_of(dir / "to").st_mode & 07777) == 0700U);
  BOOST_TEST((lstat_of(dir / "to/sub").st_mode & 07777) == 0711U);
  BOOST_TEST((lstat_of(dir / "to/sub/empty").st_mode & 07777) == 01777U);
}

BOOST_AUTO_TEST_CASE(a_symlink_that_is_there_is_replaced_and_not_followed) {
  ScratchDir dir;
  std::filesystem::create_directories(dir / "from/d");
  std::filesystem::create_directories(dir / "to");
  std::filesystem::create_directories(dir / "elsewhere");
  put(dir / "from/f", "new");
  put(dir / "victim", "old");
  std::filesystem::create_symlink(dir / "victim", dir / "to/f");
  BOOST_REQUIRE(!copy(dir / "from", dir / "to"));
  BOOST_TEST(contents(dir / "victim") == "old");
  BOOST_TEST(contents(dir / "to/f") == "new");

  // In the place of a directory it is an error that names it.
  std::filesystem::remove(dir / "to/d");
  std::filesystem::create_symlink(dir / "elsewhere", dir / "to/d");
  put(dir / "from/d/x", "x");
  const auto failure = copy(dir / "from", dir / "to");
  BOOST_REQUIRE(failure);
  BOOST_TEST((failure->kind == Kind::System));
  BOOST_TEST(failure->message.find(dir / "to/d") != std::string::npos, failure->message);
  BOOST_TEST(std::filesystem::is_empty(dir / "elsewhere"));
}

BOOST_AUTO_TEST_CASE(a_file_does_not_replace_a_directory) {
  ScratchDir dir;
  put(dir / "f", "content");
  std::filesystem::create_directories(dir / "d");
  const auto failure = copy(dir / "f", dir / "d");
  BOOST_REQUIRE(failure);
  BOOST_TEST(failure->number == EISDIR);
  BOOST_TEST(failure->message == "write " + (dir / "d"));
  BOOST_TEST(all_below(dir / "d").size() == 1U);  // no half-written file is left
}

BOOST_AUTO_TEST_CASE(what_does_not_exist_is_named) {
  ScratchDir dir;
  const auto failure = copy(dir / "no", dir / "to");
  BOOST_REQUIRE(failure);
  BOOST_TEST(failure->number == ENOENT);
  BOOST_TEST(failure->message == "read " + (dir / "no"));
  BOOST_TEST(!std::filesystem::exists(dir / "to"));
}

BOOST_AUTO_TEST_CASE(special_files_are_refused_by_name_or_left_out_and_counted) {
  ScratchDir dir;
  std::filesystem::create_directories(dir / "from");
  BOOST_REQUIRE(::mkfifo((dir / "from/pipe").c_str(), 0600) == 0);
  const auto failure = copy(dir / "from", dir / "to");
  BOOST_REQUIRE(failure);
  BOOST_TEST((failure->kind == Kind::Unsupported));
  BOOST_TEST(failure->message.find(dir / "from/pipe") != std::string::npos);

  TreeSource source(dir / "from", true);
  std::string bytes;
  BOOST_REQUIRE(!read_all(source, bytes));
  TreeSink sink(dir / "to");
  BOOST_REQUIRE(!write_all(sink, bytes));
  BOOST_TEST(sink.stats().skipped == 1U);
  BOOST_TEST(all_below(dir / "to").size() == 1U);

  TreeSource alone(dir / "from/pipe", true);
  const auto named = alone.read(bytes);
  BOOST_REQUIRE(named);
  BOOST_TEST((named->kind == Kind::Unsupported));
}

BOOST_AUTO_TEST_CASE(the_limits_hold_where_a_tree_is_read) {
  ScratchDir dir;
  make_sample(dir / "from");
  std::string bytes;
  for (const auto& limits : {TreeLimits{8, UINT64_MAX}, TreeLimits{UINT64_MAX, 200'009}}) {
    TreeSource source(dir / "from", false, limits);
    const auto failure = read_all(source, bytes);
    BOOST_REQUIRE(failure);
    BOOST_TEST((failure->kind == Kind::Limit));
    BOOST_TEST(failure->message.find(dir / "from") != std::string::npos);
  }
  TreeSource source(dir / "from", false, {9, 200'010});
  BOOST_TEST(!read_all(source, bytes));
}

BOOST_AUTO_TEST_CASE(a_tree_may_be_128_directories_deep) {
  ScratchDir dir;
  std::string path = dir / "from";
  for (std::size_t depth = 1; depth < kMaxTreeDepth; ++depth)
    path += "/d";
  std::filesystem::create_directories(path);
  put(path + "/file", "deep");
  BOOST_TEST(!copy(dir / "from", dir / "to"));
  std::filesystem::create_directory(path + "/d");
  const auto failure = copy(dir / "from", dir / "again");
  BOOST_REQUIRE(failure);
  BOOST_TEST((failure->kind == Kind::Unsupported));
  BOOST_TEST(failure->message.find(path + "/d lies more than 128") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
