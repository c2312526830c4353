// What a guest may try to get out of its directory. The secret lies right beside the share.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

/// Every operation that takes one name, with that name.
std::vector<Answer> all_with_name(FuseClient& client, std::uint64_t parent, std::string_view name) {
  const std::uint64_t file = client.walk({"inside"});
  return {
      client.try_lookup(parent, name),
      client.try_create(parent, name, O_RDWR),
      client.call(FUSE_MKDIR, parent, Args().put(fuse_mkdir_in{0755, 0}).text(name)),
      client.call(FUSE_MKNOD, parent, Args().put(fuse_mknod_in{0644, 0, 0, 0}).text(name)),
      client.call(FUSE_SYMLINK, parent, Args().text(name).text("target")),
      client.call(FUSE_LINK, parent, Args().put(fuse_link_in{file}).text(name)),
      client.call(FUSE_UNLINK, parent, Args().text(name)),
      client.call(FUSE_RMDIR, parent, Args().text(name)),
      client.call(FUSE_RENAME, parent, Args().put(fuse_rename_in{1}).text(name).text("stolen")),
      client.call(FUSE_RENAME, 1, Args().put(fuse_rename_in{parent}).text("inside").text(name)),
  };
}

/// Everything outside of the share is as it was.
bool outside_is_untouched(const Bench& bench) {
  std::size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(bench.scratch.path())) {
    static_cast<void>(entry);
    ++entries;
  }
  struct stat stat {};
  ::stat(bench.secret().c_str(), &stat);
  return entries == 2 && bench.content("../secret.txt") == "secret" && stat.st_nlink == 1;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_escape)

BOOST_AUTO_TEST_CASE(no_operation_takes_a_name_that_leads_elsewhere) {
  Bench bench;
  bench.file("inside", "");
  const std::string absolute = bench.secret().string();
  for (const std::string_view name :
       {std::string_view("."), std::string_view(".."), std::string_view(""), std::string_view("/"),
        std::string_view("../secret.txt"), std::string_view("./inside"),
        std::string_view("x/../../secret.txt"), std::string_view(absolute)}) {
    for (const Answer& answer : all_with_name(*bench.client, 1, name)) {
      BOOST_TEST(answer.error == EINVAL, name << ": " << answer.error);
    }
  }
  BOOST_TEST(outside_is_untouched(bench));
  BOOST_TEST(std::filesystem::exists(bench.share() / "inside"));
}

BOOST_AUTO_TEST_CASE(no_name_hides_a_nul) {
  Bench bench;
  bench.file("inside", "");
  for (const Answer& answer : all_with_name(*bench.client, 1, std::string_view("a\0b", 3))) {
    BOOST_TEST(answer.error == EINVAL);
  }
}

BOOST_AUTO_TEST_CASE(a_symbolic_link_is_never_followed) {
  Bench bench;
  bench.file("inside", "");
  std::filesystem::create_symlink("..", bench.share() / "up");
  std::filesystem::create_symlink("../secret.txt", bench.share() / "relative");
  std::filesystem::create_symlink(bench.secret(), bench.share() / "absolute");
  std::filesystem::create_symlink("/proc/self/root", bench.share() / "magic");
  for (const auto* name : {"up", "relative", "absolute", "magic"}) {
    const auto entry = bench.client->lookup(1, name);
    BOOST_TEST(S_ISLNK(entry.attr.mode));
    for (const Answer& answer : all_with_name(*bench.client, entry.nodeid, "secret.txt")) {
      BOOST_TEST(answer.error == ENOTDIR, name << ": " << answer.error);
    }
    BOOST_TEST(bench.client->try_open(entry.nodeid, O_RDWR | O_TRUNC).error == ELOOP);
    fuse_setattr_in in{};
    in.valid = FATTR_SIZE;
    BOOST_TEST(bench.client->setattr(entry.nodeid, in).error == EINVAL);
    in.valid = FATTR_MODE;
    BOOST_TEST(bench.client->setattr(entry.nodeid, in).error == EOPNOTSUPP);
  }
  BOOST_TEST(outside_is_untouched(bench));
}

BOOST_AUTO_TEST_CASE(a_directory_replaced_by_a_link_is_still_the_directory) {
  Bench bench;
  std::filesystem::create_directory(bench.share() / "d");
  bench.file("d/inside", "inside");
  const auto directory = bench.client->lookup(1, "d").nodeid;
  std::filesystem::rename(bench.share() / "d", bench.share() / "e");
  std::filesystem::create_symlink("..", bench.share() / "d");
  BOOST_TEST(bench.client->try_lookup(directory, "secret.txt").error == ENOENT);
  BOOST_TEST(bench.client->lookup(directory, "inside").attr.size == 6U);
  BOOST_TEST(bench.client->try_create(directory, "new", O_RDWR).error == 0);
  BOOST_TEST(std::filesystem::exists(bench.share() / "e" / "new"));
  BOOST_TEST(S_ISLNK(bench.client->lookup(1, "d").attr.mode));
  BOOST_TEST(outside_is_untouched(bench));
}

BOOST_AUTO_TEST_CASE(an_evicted_directory_replaced_by_a_link_is_not_reached_by_its_old_name) {
  ShareConfig config = Bench::writable();
  config.max_open_fds = kMinOpenFds;
  Bench bench(config);
  std::filesystem::create_directory(bench.share() / "d");
  bench.file("d/inside", "inside");
  for (int i = 0; i < 40; ++i)
    bench.file("f" + std::to_string(i), "");
  const auto directory = bench.client->lookup(1, "d").nodeid;
  for (int i = 0; i < 40; ++i)
    bench.client->lookup(1, "f" + std::to_string(i));
  std::filesystem::rename(bench.share() / "d", bench.share() / "e");
  std::filesystem::create_symlink("..", bench.share() / "d");
  // By handle it is still found; by name it is stale. Never is it what the link leads to.
  const Answer secret = bench.client->try_lookup(directory, "secret.txt");
  BOOST_TEST((secret.error == ENOENT || secret.error == ESTALE));
  BOOST_TEST(outside_is_untouched(bench));
}

BOOST_AUTO_TEST_CASE(a_hard_link_reaches_only_what_the_guest_has_looked_up) {
  Bench bench;
  std::filesystem::create_symlink("../secret.txt", bench.share() / "l");
  const auto link = bench.client->walk({"l"});
  const Answer made = bench.client->call(FUSE_LINK, 1, Args().put(fuse_link_in{link}).text("m"));
  BOOST_TEST(made.error == 0);
  BOOST_TEST(std::filesystem::is_symlink(bench.share() / "m"));
  for (std::uint64_t node = 0; node < 100; ++node) {
    if (node == 1 || node == link) continue;
    const Answer guess =
        bench.client->call(FUSE_LINK, 1, Args().put(fuse_link_in{node}).text("guess"));
    BOOST_TEST(guess.error == ESTALE);
  }
  BOOST_TEST(outside_is_untouched(bench));
}

BOOST_AUTO_TEST_CASE(special_files_of_the_host_are_never_opened) {
  Bench bench;
  ::mkfifo((bench.share() / "fifo").c_str(), 0666);
  const bool has_device = ::mknod((bench.share() / "null").c_str(), S_IFCHR | 0666, 0x103) == 0;
  // Would block for a peer, if opened.
  BOOST_TEST(bench.client->try_open(bench.client->walk({"fifo"}), O_RDONLY).error == ENXIO);
  BOOST_TEST(bench.client->try_open(bench.client->walk({"fifo"}), O_WRONLY).error == ENXIO);
  if (has_device) {
    BOOST_TEST(bench.client->try_open(bench.client->walk({"null"}), O_RDWR).error == ENXIO);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
