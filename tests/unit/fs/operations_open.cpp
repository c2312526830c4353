#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {

BOOST_AUTO_TEST_SUITE(fs_operations_open)

BOOST_AUTO_TEST_CASE(create_makes_a_file_and_opens_it) {
  Bench bench;
  const Answer made = bench.client->try_create(1, "a", O_RDWR | O_EXCL, 0640);
  const auto entry = made.as<fuse_entry_out>();
  const auto handle = made.as<fuse_open_out>(sizeof(fuse_entry_out)).fh;
  BOOST_TEST(entry.attr.mode == (S_IFREG | 0640U));
  BOOST_TEST(bench.server->lookups(entry.nodeid) == 1U);
  BOOST_TEST(bench.client->write(handle, 0, "hello").error == 0);
  BOOST_TEST(bench.content("a") == "hello");
  BOOST_TEST(bench.client->lookup(1, "a").nodeid == entry.nodeid);
  BOOST_TEST(bench.client->try_create(1, "a", O_RDWR | O_EXCL).error == EEXIST);
}

BOOST_AUTO_TEST_CASE(a_read_only_mode_does_not_hinder_the_one_who_creates) {
  Bench bench;
  const Answer made = bench.client->try_create(1, "a", O_WRONLY, 0444);
  const auto handle = made.as<fuse_open_out>(sizeof(fuse_entry_out)).fh;
  BOOST_TEST(bench.client->write(handle, 0, "x").error == 0);
}

BOOST_AUTO_TEST_CASE(create_of_a_file_that_is_there_opens_it) {
  Bench bench;
  bench.file("a", "hello");
  const Answer made = bench.client->try_create(1, "a", O_RDWR);
  const auto entry = made.as<fuse_entry_out>();
  BOOST_TEST(entry.attr.size == 5U);
  BOOST_TEST(bench.server->lookups(entry.nodeid) == 1U);
  const Answer truncated = bench.client->try_create(1, "a", O_RDWR | O_TRUNC);
  BOOST_TEST(truncated.as<fuse_entry_out>().attr.size == 0U);
}

BOOST_AUTO_TEST_CASE(create_over_what_is_no_file_opens_nothing_and_leaks_no_lookup) {
  Bench bench;
  ::mkfifo((bench.share() / "fifo").c_str(), 0666);
  std::filesystem::create_directory(bench.share() / "dir");
  std::filesystem::create_symlink("../secret.txt", bench.share() / "link");
  BOOST_TEST(bench.client->try_create(1, "fifo", O_RDWR).error == ENXIO);
  BOOST_TEST(bench.client->try_create(1, "dir", O_RDWR).error == EISDIR);
  BOOST_TEST(bench.client->try_create(1, "link", O_RDWR | O_TRUNC).error == ELOOP);
  BOOST_TEST(bench.server->known_inodes() == 1U);
  BOOST_TEST(bench.server->open_handles() == 0U);
}

BOOST_AUTO_TEST_CASE(open_truncates_where_asked) {
  Bench bench;
  bench.file("a", "hello");
  const auto node = bench.client->walk({"a"});
  bench.client->open(node, O_RDONLY);
  BOOST_TEST(bench.content("a") == "hello");
  bench.client->open(node, O_WRONLY | O_TRUNC);
  BOOST_TEST(bench.content("a").empty());
}

BOOST_AUTO_TEST_CASE(only_files_are_opened_and_only_directories_listed) {
  Bench bench;
  bench.file("a", "");
  ::mkfifo((bench.share() / "fifo").c_str(), 0666);
  std::filesystem::create_symlink("a", bench.share() / "link");
  BOOST_TEST(bench.client->try_open(1, O_RDONLY).error == EISDIR);
  BOOST_TEST(bench.client->try_open(bench.client->walk({"fifo"}), O_RDONLY).error == ENXIO);
  BOOST_TEST(bench.client->try_open(bench.client->walk({"link"}), O_RDONLY).error == ELOOP);
  const Args args = Args().put(fuse_open_in{});
  for (const auto* name : {"a", "fifo", "link"}) {
    BOOST_TEST(bench.client->call(FUSE_OPENDIR, bench.client->walk({name}), args).error == ENOTDIR);
  }
}

BOOST_AUTO_TEST_CASE(open_flags_follow_the_cache_policy) {
  for (const auto& [policy, flags] :
       {std::pair(CachePolicy::Auto, 0U), std::pair(CachePolicy::None, FOPEN_DIRECT_IO + 0U),
        std::pair(CachePolicy::Always, FOPEN_KEEP_CACHE + 0U)}) {
    ShareConfig config = Bench::writable();
    config.cache = policy;
    Bench bench(config);
    bench.file("a", "");
    const auto node = bench.client->walk({"a"});
    const auto writable = bench.client->try_open(node, O_RDWR).as<fuse_open_out>();
    BOOST_TEST(writable.open_flags == flags);
    const auto readable = bench.client->try_open(node, O_RDONLY).as<fuse_open_out>();
    BOOST_TEST(readable.open_flags == (flags | FOPEN_NOFLUSH));
  }
}

BOOST_AUTO_TEST_CASE(handles_end_with_their_release_and_are_not_mistaken) {
  Bench bench;
  bench.file("a", "");
  const auto file = bench.client->open(bench.client->walk({"a"}), O_RDONLY);
  const auto directory = bench.client->opendir(1);
  BOOST_TEST(bench.client->release(file, true).error == EBADF);
  BOOST_TEST(bench.client->release(directory, false).error == EBADF);
  BOOST_TEST(bench.client->read(directory, 0, 1).error == EBADF);
  BOOST_TEST(bench.client->release(file).error == 0);
  BOOST_TEST(bench.client->release(directory, true).error == 0);
  BOOST_TEST(bench.client->release(file).error == EBADF);
  BOOST_TEST(bench.server->open_handles() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
