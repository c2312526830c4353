#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

struct Listed {
  std::string name;
  std::uint64_t ino;
  std::uint64_t off;
  std::uint32_t type;
  std::uint64_t node;  // READDIRPLUS only
};

std::vector<Listed> parse(const Answer& answer, bool plus) {
  std::vector<Listed> all;
  std::size_t at = 0;
  while (at < answer.body.size()) {
    Listed one{};
    if (plus) {
      one.node = answer.as<fuse_entry_out>(at).nodeid;
      at += sizeof(fuse_entry_out);
    }
    one.ino = answer.as<std::uint64_t>(at);
    one.off = answer.as<std::uint64_t>(at + 8);
    const auto length = answer.as<std::uint32_t>(at + 16);
    one.type = answer.as<std::uint32_t>(at + 20);
    one.name = answer.text().substr(at + 24, length);
    at += (24 + length + 7) / 8 * 8;
    all.push_back(one);
  }
  return all;
}

Answer readdir(FuseClient& client, std::uint64_t handle, std::uint64_t offset, std::uint32_t size,
               bool plus = false) {
  fuse_read_in in{};
  in.fh = handle;
  in.offset = offset;
  in.size = size;
  return client.call(plus ? FUSE_READDIRPLUS : FUSE_READDIR, 1, Args().put(in));
}

std::vector<Listed> list(FuseClient& client, std::uint64_t handle, std::uint32_t size,
                         bool plus = false) {
  std::vector<Listed> all;
  std::uint64_t offset = 0;
  while (true) {
    const auto part = parse(readdir(client, handle, offset, size, plus), plus);
    if (part.empty()) return all;
    all.insert(all.end(), part.begin(), part.end());
    offset = part.back().off;
  }
}

std::set<std::string> names(const std::vector<Listed>& entries) {
  std::set<std::string> all;
  for (const auto& entry : entries)
    all.insert(entry.name);
  return all;
}

struct ManyFiles : Bench {
  explicit ManyFiles(int count = 500) {
    for (int i = 0; i < count; ++i) {
      const std::string name = "file" + std::to_string(i);
      file(name, "");
      expected.insert(name);
    }
    expected.insert(".");
    expected.insert("..");
  }
  std::set<std::string> expected;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_operations_dir)

BOOST_AUTO_TEST_CASE(every_entry_is_listed_once_whatever_the_guest_has_room_for) {
  ManyFiles bench;
  for (const bool plus : {false, true}) {
    for (const std::uint32_t size : {200U, 512U, 4096U, 1U << 20}) {
      const auto handle = bench.client->opendir(1);
      const auto entries = list(*bench.client, handle, size, plus);
      BOOST_TEST(entries.size() == bench.expected.size());
      BOOST_TEST((names(entries) == bench.expected));
      bench.client->release(handle, true);
    }
  }
}

BOOST_AUTO_TEST_CASE(offsets_stay_good_while_entries_come_and_go) {
  ManyFiles bench;
  const auto handle = bench.client->opendir(1);
  const auto first = parse(readdir(*bench.client, handle, 0, 4096), false);
  BOOST_REQUIRE(first.size() > 10U);
  std::filesystem::remove(bench.share() / first.back().name);
  bench.file("new", "");
  std::uint64_t offset = first.back().off;
  std::multiset<std::string> rest;
  while (true) {
    const auto part = parse(readdir(*bench.client, handle, offset, 4096), false);
    if (part.empty()) break;
    for (const auto& entry : part)
      rest.insert(entry.name);
    offset = part.back().off;
  }
  for (const auto& entry : first)
    BOOST_TEST(rest.count(entry.name) == 0U);
  for (const auto& name : bench.expected) {
    const bool was_first = names(first).count(name) != 0;
    if (!was_first) BOOST_TEST(rest.count(name) == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_reader_can_go_back_to_any_entry) {
  ManyFiles bench;
  const auto handle = bench.client->opendir(1);
  const auto all = list(*bench.client, handle, 4096);
  for (const std::size_t at : {std::size_t{300}, std::size_t{2}, std::size_t{77}}) {
    const auto again = parse(readdir(*bench.client, handle, all[at].off, 4096), false);
    BOOST_TEST(again.front().name == all[at + 1].name);
  }
  bench.file("late", "");
  BOOST_TEST(names(list(*bench.client, handle, 4096)).count("late") == 1U);
}

BOOST_AUTO_TEST_CASE(readdirplus_counts_one_lookup_for_what_it_sends_and_none_for_the_rest) {
  ManyFiles bench(60);
  const auto handle = bench.client->opendir(1);
  // Room for three entries of this length (160 + 8 bytes each) and a bit.
  const auto part = parse(readdir(*bench.client, handle, 0, 550, true), true);
  BOOST_TEST(part.size() == 3U);
  std::size_t counted = 0;
  for (const auto& entry : part) {
    if (entry.node != 0) ++counted;
    BOOST_TEST(bench.server->lookups(entry.node) == (entry.node != 0 ? 1U : 0U));
  }
  BOOST_TEST(bench.server->known_inodes() == counted + 1);
  const auto all = list(*bench.client, handle, 4096, true);
  for (const auto& entry : all) {
    const bool is_dot = entry.name == "." || entry.name == "..";
    BOOST_TEST((entry.node == 0) == is_dot);
    if (!is_dot) bench.client->forget(entry.node, 1);
  }
  for (const auto& entry : part) {
    if (entry.node != 0) bench.client->forget(entry.node, 1);
  }
  BOOST_TEST(bench.server->known_inodes() == 1U);
}

BOOST_AUTO_TEST_CASE(a_buffer_too_small_for_one_entry_is_not_the_end_of_the_directory) {
  ManyFiles bench(3);
  const auto handle = bench.client->opendir(1);
  BOOST_TEST(readdir(*bench.client, handle, 0, 0).error == EINVAL);
  BOOST_TEST(readdir(*bench.client, handle, 0, 31).error == EINVAL);
  BOOST_TEST(readdir(*bench.client, handle, 0, 32).error == 0);
  BOOST_TEST(readdir(*bench.client, handle, 0, 100, true).error == EINVAL);
  BOOST_TEST(bench.server->known_inodes() == 1U);
}

BOOST_AUTO_TEST_CASE(the_directory_above_the_root_is_not_told_of) {
  Bench bench;
  struct stat host {};
  ::stat(bench.scratch.path().c_str(), &host);
  const auto root = bench.client->getattr(1).ino;
  for (const bool plus : {false, true}) {
    for (const auto& entry : list(*bench.client, bench.client->opendir(1), 4096, plus)) {
      BOOST_TEST(entry.ino != host.st_ino);
      BOOST_TEST(entry.ino == root);
    }
  }
}

BOOST_AUTO_TEST_CASE(below_the_root_dot_dot_is_the_parent) {
  Bench bench;
  std::filesystem::create_directory(bench.share() / "d");
  const auto handle = bench.client->opendir(bench.client->walk({"d"}));
  for (const auto& entry : list(*bench.client, handle, 4096)) {
    if (entry.name == "..") BOOST_TEST(entry.ino == bench.client->getattr(1).ino);
  }
}

BOOST_AUTO_TEST_CASE(entries_tell_their_type) {
  Bench bench;
  bench.file("f", "");
  std::filesystem::create_directory(bench.share() / "d");
  std::filesystem::create_symlink("x", bench.share() / "l");
  std::map<std::string, std::uint32_t> types;
  for (const auto& entry : list(*bench.client, bench.client->opendir(1), 4096)) {
    types[entry.name] = entry.type;
  }
  BOOST_TEST(types["f"] == 8U);
  BOOST_TEST(types["d"] == 4U);
  BOOST_TEST(types["l"] == 10U);
}

BOOST_AUTO_TEST_CASE(bad_handles_and_offsets_are_refused) {
  Bench bench;
  BOOST_TEST(readdir(*bench.client, 999, 0, 4096).error == EBADF);
  const auto handle = bench.client->opendir(1);
  BOOST_TEST(readdir(*bench.client, handle, ~0ULL, 4096).error == EINVAL);
  const Args sync = Args().put(fuse_fsync_in{handle, 0, 0});
  BOOST_TEST(bench.client->call(FUSE_FSYNCDIR, 1, sync).error == 0);
  const Args unknown = Args().put(fuse_fsync_in{999, 0, 0});
  BOOST_TEST(bench.client->call(FUSE_FSYNCDIR, 1, unknown).error == EBADF);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
