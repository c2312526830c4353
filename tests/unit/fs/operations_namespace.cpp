#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

Answer mkdir(FuseClient& client, std::uint64_t parent, std::string_view name,
             std::uint32_t mode = 0755, std::uint32_t umask = 0) {
  return client.call(FUSE_MKDIR, parent, Args().put(fuse_mkdir_in{mode, umask}).text(name));
}

Answer mknod(FuseClient& client, std::string_view name, std::uint32_t mode,
             std::uint32_t umask = 0) {
  return client.call(FUSE_MKNOD, 1, Args().put(fuse_mknod_in{mode, 0, umask, 0}).text(name));
}

Answer symlink(FuseClient& client, std::string_view name, std::string_view target) {
  return client.call(FUSE_SYMLINK, 1, Args().text(name).text(target));
}

Answer link(FuseClient& client, std::uint64_t node, std::uint64_t parent, std::string_view name) {
  return client.call(FUSE_LINK, parent, Args().put(fuse_link_in{node}).text(name));
}

Answer rename(FuseClient& client, std::uint64_t from, std::string_view name, std::uint64_t to,
              std::string_view new_name, std::uint32_t flags = 0) {
  return client.call(FUSE_RENAME2, from,
                     Args().put(fuse_rename2_in{to, flags, 0}).text(name).text(new_name));
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat stat {};
  ::lstat(path.c_str(), &stat);
  return stat.st_mode;
}

/// Sets this process's umask for a while.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { ::umask(before_); }

 private:
  mode_t before_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_operations_namespace)

BOOST_AUTO_TEST_CASE(directories_are_made_and_removed) {
  Bench bench;
  const auto made = mkdir(*bench.client, 1, "d").as<fuse_entry_out>();
  BOOST_TEST(made.attr.mode == (S_IFDIR | 0755U));
  BOOST_TEST(mkdir(*bench.client, made.nodeid, "e").error == 0);
  BOOST_TEST(std::filesystem::is_directory(bench.share() / "d" / "e"));
  BOOST_TEST(mkdir(*bench.client, 1, "d").error == EEXIST);
  BOOST_TEST(bench.client->call(FUSE_RMDIR, 1, Args().text("d")).error == ENOTEMPTY);
  BOOST_TEST(bench.client->call(FUSE_RMDIR, made.nodeid, Args().text("e")).error == 0);
  BOOST_TEST(bench.client->call(FUSE_UNLINK, 1, Args().text("d")).error == EISDIR);
  BOOST_TEST(bench.client->call(FUSE_RMDIR, 1, Args().text("d")).error == 0);
  BOOST_TEST(!std::filesystem::exists(bench.share() / "d"));
}

BOOST_AUTO_TEST_CASE(the_guests_umask_counts_and_that_of_this_process_does_not) {
  const Umask ours(0077);
  Bench bench;
  mkdir(*bench.client, 1, "d", 0777, 0002);
  mknod(*bench.client, "f", S_IFREG | 0666, 0022);
  mknod(*bench.client, "p", S_IFIFO | 0666, 0);
  const auto created = bench.client->try_create(1, "c", O_RDWR, 0666);
  BOOST_TEST(created.error == 0);
  BOOST_TEST(mode_of(bench.share() / "d") == (S_IFDIR | 0775U));
  BOOST_TEST(mode_of(bench.share() / "f") == (S_IFREG | 0644U));
  BOOST_TEST(mode_of(bench.share() / "p") == (S_IFIFO | 0666U));
  BOOST_TEST(mode_of(bench.share() / "c") == (S_IFREG | 0666U));
}

BOOST_AUTO_TEST_CASE(files_fifos_and_sockets_can_be_made_but_no_devices) {
  Bench bench;
  BOOST_TEST(mknod(*bench.client, "plain", 0644).error == 0);
  BOOST_TEST(mknod(*bench.client, "file", S_IFREG | 0644).error == 0);
  BOOST_TEST(mknod(*bench.client, "fifo", S_IFIFO | 0644).error == 0);
  BOOST_TEST(mknod(*bench.client, "socket", S_IFSOCK | 0644).error == 0);
  BOOST_TEST(mknod(*bench.client, "char", S_IFCHR | 0644).error == EPERM);
  BOOST_TEST(mknod(*bench.client, "block", S_IFBLK | 0644).error == EPERM);
  BOOST_TEST(mknod(*bench.client, "dir", S_IFDIR | 0755).error == EINVAL);
  BOOST_TEST(S_ISREG(mode_of(bench.share() / "plain")));
  BOOST_TEST(S_ISSOCK(mode_of(bench.share() / "socket")));
  BOOST_TEST(!std::filesystem::exists(bench.share() / "char"));
}

BOOST_AUTO_TEST_CASE(symbolic_links_are_made_with_any_target) {
  Bench bench;
  const auto made = symlink(*bench.client, "l", "/etc/passwd").as<fuse_entry_out>();
  BOOST_TEST(made.attr.mode == (S_IFLNK | 0777U));
  BOOST_TEST(std::filesystem::read_symlink(bench.share() / "l") == "/etc/passwd");
  BOOST_TEST(symlink(*bench.client, "m", "").error == ENOENT);
  BOOST_TEST(symlink(*bench.client, "m", std::string(4096, 'x')).error == ENAMETOOLONG);
  BOOST_TEST(symlink(*bench.client, "n", std::string(4095, 'x')).error == 0);
}

BOOST_AUTO_TEST_CASE(hard_links_are_made_of_files_and_of_symbolic_links) {
  Bench bench;
  bench.file("a", "1");
  std::filesystem::create_symlink("a", bench.share() / "l");
  const auto node = bench.client->walk({"a"});
  const auto made = link(*bench.client, node, 1, "b").as<fuse_entry_out>();
  BOOST_TEST(made.nodeid == node);
  BOOST_TEST(made.attr.nlink == 2U);
  BOOST_TEST(bench.server->lookups(node) == 2U);
  BOOST_TEST(link(*bench.client, bench.client->walk({"l"}), 1, "m").error == 0);
  BOOST_TEST(S_ISLNK(mode_of(bench.share() / "m")));
  BOOST_TEST(link(*bench.client, 1, 1, "r").error == EPERM);
  BOOST_TEST(link(*bench.client, 999, 1, "r").error == ESTALE);
}

BOOST_AUTO_TEST_CASE(an_open_file_outlives_its_name) {
  Bench bench;
  bench.file("a", "hello");
  const auto node = bench.client->walk({"a"});
  const auto handle = bench.client->open(node, O_RDWR);
  BOOST_TEST(bench.client->call(FUSE_UNLINK, 1, Args().text("a")).error == 0);
  BOOST_TEST(bench.client->read(handle, 0, 10).text() == "hello");
  BOOST_TEST(bench.client->write(handle, 5, " there").error == 0);
  BOOST_TEST(bench.client->getattr(node).size == 11U);
  bench.client->forget(node, 1);
  BOOST_TEST(bench.client->read(handle, 0, 20).text() == "hello there");
  BOOST_TEST(bench.client->release(handle).error == 0);
}

BOOST_AUTO_TEST_CASE(an_open_file_keeps_its_handle_when_it_is_renamed) {
  Bench bench;
  bench.file("a", "hello");
  const auto directory = mkdir(*bench.client, 1, "d").as<fuse_entry_out>().nodeid;
  const auto node = bench.client->walk({"a"});
  const auto handle = bench.client->open(node, O_RDONLY);
  BOOST_TEST(rename(*bench.client, 1, "a", directory, "b").error == 0);
  BOOST_TEST(bench.client->read(handle, 0, 10).text() == "hello");
  BOOST_TEST(bench.client->lookup(directory, "b").nodeid == node);
  BOOST_TEST(bench.client->try_lookup(1, "a").error == ENOENT);
}

BOOST_AUTO_TEST_CASE(rename_replaces_exchanges_or_refuses) {
  Bench bench;
  bench.file("a", "a");
  bench.file("b", "b");
  BOOST_TEST(rename(*bench.client, 1, "a", 1, "b", RENAME_NOREPLACE).error == EEXIST);
  BOOST_TEST(rename(*bench.client, 1, "a", 1, "b", RENAME_EXCHANGE).error == 0);
  BOOST_TEST(bench.content("a") == "b");
  BOOST_TEST(rename(*bench.client, 1, "a", 1, "b", RENAME_WHITEOUT).error == EINVAL);
  BOOST_TEST(rename(*bench.client, 1, "a", 1, "b", 1U << 31).error == EINVAL);
  const Answer plain =
      bench.client->call(FUSE_RENAME, 1, Args().put(fuse_rename_in{1}).text("a").text("b"));
  BOOST_TEST(plain.error == 0);
  BOOST_TEST(bench.content("b") == "b");
  BOOST_TEST(!std::filesystem::exists(bench.share() / "a"));
}

BOOST_AUTO_TEST_CASE(a_directory_cannot_move_into_itself) {
  Bench bench;
  const auto outer = mkdir(*bench.client, 1, "d").as<fuse_entry_out>().nodeid;
  BOOST_TEST(rename(*bench.client, 1, "d", outer, "e").error == EINVAL);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
