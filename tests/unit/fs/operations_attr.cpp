#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

Answer access(FuseClient& client, std::uint64_t node, std::uint32_t mask) {
  return client.call(FUSE_ACCESS, node, Args().put(fuse_access_in{mask, 0}));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_operations_attr)

BOOST_AUTO_TEST_CASE(lookup_gives_a_node_and_what_it_is) {
  Bench bench;
  bench.file("a", "12345", 0640);
  const auto entry = bench.client->lookup(1, "a");
  BOOST_TEST(entry.nodeid > 1U);
  BOOST_TEST(entry.attr.size == 5U);
  BOOST_TEST(entry.attr.mode == (S_IFREG | 0640U));
  BOOST_TEST(entry.attr.uid == 0U);
  BOOST_TEST(entry.entry_valid == 1U);
  BOOST_TEST(entry.attr_valid == 1U);
  struct stat host {};
  ::stat((bench.share() / "a").c_str(), &host);
  BOOST_TEST(entry.attr.ino == host.st_ino);
  BOOST_TEST(bench.client->try_lookup(1, "b").error == ENOENT);
  BOOST_TEST(bench.client->try_lookup(entry.nodeid, "b").error == ENOTDIR);
  BOOST_TEST(bench.client->try_lookup(999, "b").error == ESTALE);
}

BOOST_AUTO_TEST_CASE(two_names_of_a_file_are_one_node) {
  Bench bench;
  bench.file("a", "");
  std::filesystem::create_hard_link(bench.share() / "a", bench.share() / "b");
  BOOST_TEST(bench.client->lookup(1, "a").nodeid == bench.client->lookup(1, "b").nodeid);
}

BOOST_AUTO_TEST_CASE(lifetimes_follow_the_cache_policy) {
  for (const auto& [policy, seconds] :
       {std::pair(CachePolicy::Auto, 1U), std::pair(CachePolicy::None, 0U),
        std::pair(CachePolicy::Always, 86400U)}) {
    ShareConfig config = Bench::writable();
    config.cache = policy;
    Bench bench(config);
    bench.file("a", "");
    BOOST_TEST(bench.client->lookup(1, "a").entry_valid == seconds);
    const Answer missing = bench.client->try_lookup(1, "missing");
    if (policy == CachePolicy::Always) {
      BOOST_TEST(missing.as<fuse_entry_out>().nodeid == 0U);
      BOOST_TEST(missing.as<fuse_entry_out>().entry_valid == seconds);
    } else {
      BOOST_TEST(missing.error == ENOENT);
    }
  }
}

BOOST_AUTO_TEST_CASE(attributes_can_be_had_by_handle_after_the_name_is_gone) {
  Bench bench;
  bench.file("a", "123");
  const auto node = bench.client->lookup(1, "a").nodeid;
  const auto handle = bench.client->open(node, O_RDONLY);
  std::filesystem::remove(bench.share() / "a");
  const Answer by_handle = bench.client->call(
      FUSE_GETATTR, node, Args().put(fuse_getattr_in{FUSE_GETATTR_FH, 0, handle}));
  BOOST_TEST(by_handle.as<fuse_attr_out>().attr.size == 3U);
  BOOST_TEST(bench.client->getattr(node).nlink == 0U);
  const Answer unknown =
      bench.client->call(FUSE_GETATTR, node, Args().put(fuse_getattr_in{FUSE_GETATTR_FH, 0, 999}));
  BOOST_TEST(unknown.error == EBADF);
}

BOOST_AUTO_TEST_CASE(setattr_changes_mode_size_and_times) {
  Bench bench;
  bench.file("a", "12345", 0644);
  const auto node = bench.client->lookup(1, "a").nodeid;
  fuse_setattr_in in{};
  in.valid = FATTR_MODE | FATTR_SIZE | FATTR_ATIME | FATTR_MTIME;
  in.mode = 0600;
  in.size = 2;
  in.atime = 1000;
  in.mtime = 2000;
  in.mtimensec = 5;
  const auto attr = bench.client->setattr(node, in).as<fuse_attr_out>().attr;
  BOOST_TEST(attr.mode == (S_IFREG | 0600U));
  BOOST_TEST(attr.size == 2U);
  BOOST_TEST(attr.atime == 1000U);
  BOOST_TEST(attr.mtime == 2000U);
  BOOST_TEST(attr.mtimensec == 5U);
  BOOST_TEST(bench.content("a") == "12");
}

BOOST_AUTO_TEST_CASE(a_file_can_be_truncated_by_handle_beyond_4_gib) {
  Bench bench;
  bench.file("a", "");
  const auto node = bench.client->lookup(1, "a").nodeid;
  fuse_setattr_in in{};
  in.valid = FATTR_SIZE | FATTR_FH;
  in.fh = bench.client->open(node, O_RDWR);
  in.size = 5ULL << 30;
  BOOST_TEST(bench.client->setattr(node, in).as<fuse_attr_out>().attr.size == 5ULL << 30);
  in.fh = bench.client->open(node, O_RDONLY);
  BOOST_TEST(bench.client->setattr(node, in).error == EINVAL);
  in.fh = 999;
  BOOST_TEST(bench.client->setattr(node, in).error == EBADF);
}

BOOST_AUTO_TEST_CASE(sizes_and_times_that_no_host_has_are_refused) {
  Bench bench;
  bench.file("a", "x");
  ::mkdir((bench.share() / "d").c_str(), 0755);
  ::mkfifo((bench.share() / "f").c_str(), 0644);
  const auto node = bench.client->lookup(1, "a").nodeid;
  fuse_setattr_in in{};
  in.valid = FATTR_SIZE;
  in.size = ~std::uint64_t{0};
  BOOST_TEST(bench.client->setattr(node, in).error == EFBIG);
  in.size = 0;
  BOOST_TEST(bench.client->setattr(bench.client->walk({"d"}), in).error == EISDIR);
  BOOST_TEST(bench.client->setattr(bench.client->walk({"f"}), in).error == EINVAL);
  in.valid = FATTR_MTIME;
  in.mtimensec = UTIME_OMIT;
  BOOST_TEST(bench.client->setattr(node, in).error == EINVAL);
  BOOST_TEST(bench.content("a") == "x");
}

BOOST_AUTO_TEST_CASE(only_what_is_valid_is_set_and_now_means_now) {
  Bench bench;
  bench.file("a", "x");
  const auto node = bench.client->lookup(1, "a").nodeid;
  fuse_setattr_in in{};
  in.valid = FATTR_ATIME;
  in.atime = 77;
  const auto before = bench.client->getattr(node);
  auto attr = bench.client->setattr(node, in).as<fuse_attr_out>().attr;
  BOOST_TEST(attr.atime == 77U);
  BOOST_TEST(attr.mtime == before.mtime);
  in.valid = FATTR_ATIME | FATTR_ATIME_NOW;
  attr = bench.client->setattr(node, in).as<fuse_attr_out>().attr;
  BOOST_TEST(attr.atime >= before.mtime);
}

BOOST_AUTO_TEST_CASE(times_of_a_symbolic_link_are_its_own) {
  Bench bench;
  bench.file("a", "x");
  std::filesystem::create_symlink("a", bench.share() / "l");
  fuse_setattr_in in{};
  in.valid = FATTR_MTIME;
  in.mtime = 77;
  const auto link = bench.client->walk({"l"});
  BOOST_TEST(bench.client->setattr(link, in).as<fuse_attr_out>().attr.mtime == 77U);
  BOOST_TEST(bench.client->getattr(bench.client->walk({"a"})).mtime != 77U);
  in.valid = FATTR_MODE;
  BOOST_TEST(bench.client->setattr(link, in).error == EOPNOTSUPP);
}

BOOST_AUTO_TEST_CASE(readlink_gives_the_target_as_it_is) {
  Bench bench;
  std::filesystem::create_symlink("/etc/../no/such", bench.share() / "l");
  bench.file("a", "");
  const auto link = bench.client->walk({"l"});
  BOOST_TEST(bench.client->call(FUSE_READLINK, link).text() == "/etc/../no/such");
  BOOST_TEST(bench.client->call(FUSE_READLINK, link, {}, 15).error == 0);
  BOOST_TEST(bench.client->call(FUSE_READLINK, link, {}, 14).error == EIO);
  BOOST_TEST(bench.client->call(FUSE_READLINK, bench.client->walk({"a"})).error == EINVAL);
}

BOOST_AUTO_TEST_CASE(access_asks_for_the_guests_user) {
  Bench bench;
  bench.file("a", "", 0600);
  const auto node = bench.client->walk({"a"});
  BOOST_TEST(access(*bench.client, node, R_OK | W_OK).error == 0);
  BOOST_TEST(access(*bench.client, node, X_OK).error == EACCES);
  bench.client->uid = bench.client->gid = 1000;
  BOOST_TEST(access(*bench.client, node, R_OK).error == EACCES);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
