#include <sys/stat.h>
#include <unistd.h>

#include <agent/host/whole_file.hpp>
#include <boost/test/unit_test.hpp>

#include "served_agent.hpp"

using namespace capsa;
using namespace capsa::agent;
using namespace capsa::agent::test;

namespace {

result<void> write(ServedAgent& agent, const std::string& path, std::string_view text,
                   const WriteFileOptions& options = {}) {
  const auto bytes = as_bytes(text);
  return ask<void>(agent, [&](auto done) {
    write_whole_file(agent.session(), path, options, {bytes.begin(), bytes.end()}, std::move(done));
  });
}

result<std::string> read(ServedAgent& agent, const std::string& path,
                         const ReadFileOptions& options = {}) {
  std::string text;
  RequestId id = 0;
  const auto outcome = ask<void>(agent, [&](auto done) {
    ReadEvents events;
    events.data = [&](std::span<const std::byte> bytes) {
      text += as_text(bytes);
      agent.session().grant(id, Stream::Output, bytes.size());
    };
    events.done = std::move(done);
    id = agent.session().read_file(path, options, std::move(events));
  });
  if (!outcome) return outcome.error();
  return text;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  ::lstat(path.c_str(), &status);
  return status.st_mode & 07777;
}

std::size_t count_files(const ScratchDir& dir) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(dir.path()), {}));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(agent_files)

BOOST_AUTO_TEST_CASE(a_file_of_the_kernels_takes_what_is_written) {
  ServedAgent agent;
  const std::string path = "/proc/self/oom_score_adj";  // the agent's own
  BOOST_REQUIRE(write(agent, path, "321").ok());
  BOOST_TEST(read(agent, path).value() == "321\n");
}

BOOST_AUTO_TEST_CASE(a_hundred_mebibytes_are_written_and_read_back_unchanged) {
  ServedAgent agent;
  ScratchDir dir;
  const auto content = pattern(std::size_t{100} << 20);
  BOOST_REQUIRE(ask<void>(agent, [&](auto done) {
                  write_whole_file(agent.session(), dir / "big", {}, content, std::move(done));
                }).ok());
  const auto back = ask<std::vector<std::byte>>(agent, [&](auto done) {
    read_whole_file(agent.session(), dir / "big", content.size(), std::move(done));
  });
  BOOST_REQUIRE(back.ok());
  BOOST_TEST(hash(*back) == hash(content));
}

BOOST_AUTO_TEST_CASE(an_empty_file_is_written_and_read) {
  ServedAgent agent;
  ScratchDir dir;
  BOOST_TEST(write(agent, dir / "empty", "").ok());
  BOOST_TEST(read(agent, dir / "empty").value().empty());
}

BOOST_AUTO_TEST_CASE(part_of_a_file_can_be_read) {
  ServedAgent agent;
  ScratchDir dir;
  put(dir / "f", "0123456789");
  BOOST_TEST(read(agent, dir / "f", {2, 3}).value() == "234");
  BOOST_TEST(read(agent, dir / "f", {8, 100}).value() == "89");
  BOOST_TEST(read(agent, dir / "f", {100, std::nullopt}).value().empty());
  BOOST_TEST(read(agent, dir / "f", {0, 0}).value().empty());
}

BOOST_AUTO_TEST_CASE(a_file_of_the_kernel_is_read_to_its_end) {
  ServedAgent agent;
  BOOST_TEST(read(agent, "/proc/self/status").value().find("Pid:") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_says_why) {
  ServedAgent agent;
  BOOST_TEST(read(agent, "/no/such/file").error().guest_errno() == ENOENT);
  BOOST_TEST(read(agent, "/").error().guest_errno() == EISDIR);
}

BOOST_AUTO_TEST_CASE(the_old_content_is_there_until_the_new_is_complete) {
  ServedAgent agent;
  ScratchDir dir;
  put(dir / "f", "old");
  std::optional<result<void>> done;
  std::size_t room = 0;
  const auto id = agent.session().write_file(
      dir / "f", {}, {[&](std::size_t bytes) { room = bytes; }, [&](auto got) { done = got; }});
  agent.run_until([&] { return room > 0; });
  agent.session().write_data(id, as_bytes("new"));
  agent.settle();
  BOOST_TEST(contents(dir / "f") == "old");
  agent.session().write_finish(id);
  agent.run_until([&] { return done.has_value(); });
  BOOST_TEST(done->ok());
  BOOST_TEST(contents(dir / "f") == "new");
  BOOST_TEST(count_files(dir) == 1u);
}

BOOST_AUTO_TEST_CASE(a_cancelled_write_leaves_the_old_file_and_nothing_else) {
  ServedAgent agent;
  ScratchDir dir;
  put(dir / "f", "old");
  std::size_t room = 0;
  const auto id = agent.session().write_file(dir / "f", {},
                                             {[&](std::size_t bytes) { room = bytes; }, nullptr});
  agent.run_until([&] { return room > 0; });
  agent.session().write_data(id, as_bytes("new"));
  agent.session().cancel(id);
  agent.settle();
  agent.settle();
  BOOST_TEST(contents(dir / "f") == "old");
  BOOST_TEST(count_files(dir) == 1u);
}

BOOST_AUTO_TEST_CASE(a_host_that_goes_away_leaves_no_half_file) {
  ServedAgent agent;
  ScratchDir dir;
  std::size_t room = 0;
  const auto id = agent.session().write_file(dir / "f", {},
                                             {[&](std::size_t bytes) { room = bytes; }, nullptr});
  agent.run_until([&] { return room > 0; });
  agent.session().write_data(id, as_bytes("new"));
  agent.settle();
  agent.drop();
  BOOST_TEST(agent.wait_for_exit() == 0);
  BOOST_TEST(count_files(dir) == 0u);
}

BOOST_AUTO_TEST_CASE(a_write_that_cannot_be_says_why) {
  ServedAgent agent;
  ScratchDir dir;
  BOOST_TEST(write(agent, dir / "missing/f", "x").error().guest_errno() == ENOENT);
  BOOST_TEST(write(agent, dir.path().string(), "x").error().guest_errno() == EISDIR);
  BOOST_TEST(write(agent, "/dev/full", "x").error().guest_errno() == ENOSPC);
}

BOOST_AUTO_TEST_CASE(parents_are_made_on_request) {
  ServedAgent agent;
  ScratchDir dir;
  WriteFileOptions options;
  options.create_parents = true;
  BOOST_TEST(write(agent, dir / "a/b/c", "x", options).ok());
  BOOST_TEST(contents(dir / "a/b/c") == "x");
}

BOOST_AUTO_TEST_CASE(the_mode_is_what_was_asked_for_or_what_was_there) {
  ServedAgent agent;
  ScratchDir dir;
  BOOST_TEST(write(agent, dir / "f", "x").ok());
  BOOST_TEST(mode_of(dir / "f") == 0644u);
  ::chmod((dir / "f").c_str(), 0700);
  BOOST_TEST(write(agent, dir / "f", "y").ok());
  BOOST_TEST(mode_of(dir / "f") == 0700u);
  WriteFileOptions options;
  options.mode = 04711;
  BOOST_TEST(write(agent, dir / "f", "z", options).ok());
  BOOST_TEST(mode_of(dir / "f") == 04711u);
}

BOOST_AUTO_TEST_CASE(appending_adds_at_the_end) {
  ServedAgent agent;
  ScratchDir dir;
  WriteFileOptions options;
  options.append = true;
  BOOST_TEST(write(agent, dir / "log", "one\n", options).ok());
  ::chmod((dir / "log").c_str(), 0600);
  BOOST_TEST(write(agent, dir / "log", "two\n", options).ok());
  BOOST_TEST(contents(dir / "log") == "one\ntwo\n");
  BOOST_TEST(mode_of(dir / "log") == 0600u);
}

BOOST_AUTO_TEST_CASE(writing_through_a_symlink_replaces_the_file_it_names) {
  ServedAgent agent;
  ScratchDir dir;
  put(dir / "real", "old");
  std::filesystem::create_symlink("real", dir / "link");
  BOOST_TEST(write(agent, dir / "link", "new").ok());
  BOOST_TEST(std::filesystem::is_symlink(dir / "link"));
  BOOST_TEST(contents(dir / "real") == "new");
}

BOOST_AUTO_TEST_CASE(a_device_is_written_in_place) {
  ServedAgent agent;
  BOOST_TEST(write(agent, "/dev/null", "gone").ok());
  BOOST_TEST(std::filesystem::is_character_file("/dev/null"));
}

BOOST_AUTO_TEST_CASE(exists_follows_symlinks) {
  ServedAgent agent;
  ScratchDir dir;
  put(dir / "f", "x");
  std::filesystem::create_symlink("nowhere", dir / "dangling");
  const auto exists = [&](const std::string& path) {
    return ask<bool>(agent, [&](auto done) { agent.session().exists(path, std::move(done)); })
        .value();
  };
  BOOST_TEST(exists(dir / "f"));
  BOOST_TEST(!exists(dir / "g"));
  BOOST_TEST(!exists(dir / "f/g"));
  BOOST_TEST(!exists(dir / "dangling"));
}

BOOST_AUTO_TEST_CASE(stat_tells_of_the_file_or_of_the_link) {
  ServedAgent agent;
  ScratchDir dir;
  put(dir / "f", "12345");
  ::chmod((dir / "f").c_str(), 0640);
  std::filesystem::create_symlink("f", dir / "link");
  const auto stat = [&](const std::string& path, bool follow) {
    return ask<FileStat>(agent,
                         [&](auto done) { agent.session().stat(path, follow, std::move(done)); });
  };
  const auto file = stat(dir / "link", true).value();
  BOOST_TEST((file.kind == FileKind::Regular));
  BOOST_TEST(file.mode == 0640u);
  BOOST_TEST(file.size == 5u);
  BOOST_TEST(file.uid == ::geteuid());
  BOOST_TEST(file.mtime.count() > 0);
  BOOST_TEST((file == stat(dir / "f", false).value()));
  const auto link = stat(dir / "link", false).value();
  BOOST_TEST((link.kind == FileKind::Symlink));
  BOOST_TEST(link.link_target == "f");
  BOOST_TEST(stat(dir / "g", true).error().guest_errno() == ENOENT);
}

BOOST_AUTO_TEST_CASE(ten_thousand_entries_are_listed) {
  ServedAgent agent;
  ScratchDir dir;
  for (int i = 0; i < 10'000; ++i)
    put(dir / std::to_string(100'000 + i), "");
  std::filesystem::create_symlink("target", dir / "z-link");
  std::filesystem::create_directory(dir / "z-dir");
  const auto entries = ask<std::vector<DirEntry>>(agent, [&](auto done) {
                         agent.session().list_dir(dir.path(), std::move(done));
                       }).value();
  BOOST_REQUIRE_EQUAL(entries.size(), 10'002u);
  for (std::size_t i = 0; i < 10'000; ++i)
    BOOST_REQUIRE_EQUAL(entries[i].name, std::to_string(100'000 + i));
  BOOST_TEST((entries[10'000].stat.kind == FileKind::Directory));
  BOOST_TEST(entries[10'001].stat.link_target == "target");
}

BOOST_AUTO_TEST_CASE(directories_are_made_with_parents_and_mode) {
  ServedAgent agent;
  ScratchDir dir;
  const auto mkdir = [&](const std::string& path, bool parents) {
    return ask<void>(
        agent, [&](auto done) { agent.session().mkdir(path, parents, 0770, std::move(done)); });
  };
  BOOST_TEST(mkdir(dir / "a", false).ok());
  BOOST_TEST(mode_of(dir / "a") == 0770u);
  BOOST_TEST(mkdir(dir / "a", false).error().guest_errno() == EEXIST);
  BOOST_TEST(mkdir(dir / "a", true).ok());
  BOOST_TEST(mkdir(dir / "b/c", false).error().guest_errno() == ENOENT);
  BOOST_TEST(mkdir(dir / "b/c", true).ok());
  put(dir / "f", "");
  BOOST_TEST(mkdir(dir / "f", true).error().guest_errno() == EEXIST);
}

BOOST_AUTO_TEST_CASE(a_file_is_renamed) {
  ServedAgent agent;
  ScratchDir dir;
  put(dir / "a", "x");
  const auto rename = [&](const std::string& from, const std::string& to) {
    return ask<void>(agent, [&](auto done) { agent.session().rename(from, to, std::move(done)); });
  };
  BOOST_TEST(rename(dir / "a", dir / "b").ok());
  BOOST_TEST(contents(dir / "b") == "x");
  BOOST_TEST(rename(dir / "a", dir / "b").error().guest_errno() == ENOENT);
}

BOOST_AUTO_TEST_SUITE_END()
