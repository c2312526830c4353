#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <set>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {

BOOST_AUTO_TEST_SUITE(fs_read_only)

BOOST_AUTO_TEST_CASE(every_operation_that_is_not_on_the_list_is_refused) {
  Bench bench(Bench::read_only());
  const std::set<std::uint32_t> allowed = {
      FUSE_LOOKUP,       FUSE_FORGET,      FUSE_GETATTR, FUSE_READLINK,  FUSE_OPEN,
      FUSE_READ,         FUSE_STATFS,      FUSE_RELEASE, FUSE_FSYNC,     FUSE_GETXATTR,
      FUSE_LISTXATTR,    FUSE_FLUSH,       FUSE_INIT,    FUSE_OPENDIR,   FUSE_READDIR,
      FUSE_RELEASEDIR,   FUSE_FSYNCDIR,    FUSE_ACCESS,  FUSE_INTERRUPT, FUSE_DESTROY,
      FUSE_BATCH_FORGET, FUSE_READDIRPLUS, FUSE_LSEEK,   FUSE_SYNCFS};
  const std::set<std::uint32_t> refused = {
      FUSE_SETATTR,     FUSE_SYMLINK, FUSE_MKNOD,     FUSE_MKDIR,   FUSE_UNLINK,
      FUSE_RMDIR,       FUSE_RENAME,  FUSE_LINK,      FUSE_WRITE,   FUSE_SETXATTR,
      FUSE_REMOVEXATTR, FUSE_CREATE,  FUSE_FALLOCATE, FUSE_RENAME2, FUSE_COPY_FILE_RANGE};
  for (std::uint32_t opcode = 0; opcode < 200; ++opcode) {
    // Whatever the arguments are: it is refused before they are looked at.
    for (const std::size_t length : {std::size_t{0}, std::size_t{8}, std::size_t{100}}) {
      bench.client->init();
      const Answer answer = bench.client->call(opcode, 1, Args().raw(std::string(length, '\0')));
      if (refused.count(opcode) != 0) {
        BOOST_TEST(answer.error == EROFS, opcode);
      } else if (allowed.count(opcode) != 0) {
        BOOST_TEST(answer.error != EROFS, opcode);
        BOOST_TEST(answer.error != ENOSYS, opcode);
      } else {
        BOOST_TEST(answer.error == ENOSYS, opcode);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(nothing_changes_whatever_root_in_the_guest_asks_for) {
  Bench bench(Bench::read_only());
  bench.file("a", "hello", 0666);
  std::filesystem::create_directory(bench.share() / "d");
  auto& client = *bench.client;
  const auto node = client.walk({"a"});
  struct stat before {};
  ::stat((bench.share() / "a").c_str(), &before);

  for (const std::uint32_t flags :
       {O_WRONLY + 0U, O_RDWR + 0U, O_TRUNC + 0U, O_RDWR | O_TRUNC | O_APPEND | 0U}) {
    BOOST_TEST(client.try_open(node, flags).error == EROFS, flags);
  }
  fuse_setattr_in in{};
  for (const std::uint32_t valid : {FATTR_MODE, FATTR_UID, FATTR_SIZE, FATTR_MTIME, FATTR_ATIME}) {
    in.valid = valid;
    BOOST_TEST(client.setattr(node, in).error == EROFS);
  }
  BOOST_TEST(client.try_create(1, "new", O_RDONLY).error == EROFS);
  BOOST_TEST(client.try_create(1, "a", O_RDONLY).error == EROFS);
  const Args link = Args().put(fuse_link_in{node}).text("b");
  BOOST_TEST(client.call(FUSE_LINK, 1, link).error == EROFS);
  const Args rename = Args().put(fuse_rename_in{1}).text("a").text("b");
  BOOST_TEST(client.call(FUSE_RENAME, 1, rename).error == EROFS);
  BOOST_TEST(client.call(FUSE_UNLINK, 1, Args().text("a")).error == EROFS);
  BOOST_TEST(client.call(FUSE_RMDIR, 1, Args().text("d")).error == EROFS);
  // A handle for reading is no way to write.
  const auto handle = client.open(node, O_RDONLY);
  BOOST_TEST(client.write(handle, 0, "x").error == EROFS);
  in.valid = FATTR_SIZE | FATTR_FH;
  in.fh = handle;
  BOOST_TEST(client.setattr(node, in).error == EROFS);

  struct stat after {};
  ::stat((bench.share() / "a").c_str(), &after);
  BOOST_TEST(bench.content("a") == "hello");
  BOOST_TEST(after.st_mode == before.st_mode);
  BOOST_TEST(after.st_ctim.tv_sec == before.st_ctim.tv_sec);
  BOOST_TEST(after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
  BOOST_TEST(after.st_nlink == 1U);
}

BOOST_AUTO_TEST_CASE(access_says_so) {
  Bench bench(Bench::read_only());
  bench.file("a", "", 0666);
  const auto node = bench.client->walk({"a"});
  const auto access = [&](std::uint32_t mask) {
    return bench.client->call(FUSE_ACCESS, node, Args().put(fuse_access_in{mask, 0})).error;
  };
  BOOST_TEST(access(W_OK) == EROFS);
  BOOST_TEST(access(R_OK | W_OK) == EROFS);
  BOOST_TEST(access(R_OK) == 0);
}

BOOST_AUTO_TEST_CASE(reading_leaves_the_access_time_alone) {
  Bench bench(Bench::read_only());
  const auto path = bench.file("a", "hello");
  // Old enough for relatime to want to renew it.
  const timespec old[2] = {{1000, 0}, {2000, 0}};
  ::utimensat(AT_FDCWD, path.c_str(), old, 0);
  const auto node = bench.client->walk({"a"});
  const auto handle = bench.client->open(node, O_RDONLY);
  BOOST_TEST(bench.client->read(handle, 0, 5).text() == "hello");
  struct stat stat {};
  ::stat(path.c_str(), &stat);
  BOOST_TEST(stat.st_atim.tv_sec == 1000);
}

BOOST_AUTO_TEST_CASE(what_can_be_read_is_read) {
  Bench bench(Bench::read_only());
  bench.file("a", "hello");
  const auto node = bench.client->walk({"a"});
  const auto handle = bench.client->open(node, O_RDONLY);
  BOOST_TEST(bench.client->read(handle, 0, 5).text() == "hello");
  const Args sync = Args().put(fuse_fsync_in{handle, 0, 0});
  BOOST_TEST(bench.client->call(FUSE_FSYNC, node, sync).error == 0);
  BOOST_TEST(bench.client->call(FUSE_SYNCFS, 1, Args().put(fuse_syncfs_in{})).error == 0);
  BOOST_TEST(bench.client->release(handle).error == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
