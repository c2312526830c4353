#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

ShareConfig passthrough() {
  ShareConfig config = Bench::writable();
  config.ownership = Ownership::Passthrough;
  return config;
}

struct stat host_stat(const std::filesystem::path& path) {
  struct stat stat {};
  ::lstat(path.c_str(), &stat);
  return stat;
}

bool is_root() {
  return ::geteuid() == 0;
}
boost::test_tools::assertion_result as_root(boost::unit_test::test_unit_id /*id*/) {
  return is_root();
}

Answer chown(FuseClient& client, std::uint64_t node, std::uint32_t user, std::uint32_t group) {
  fuse_setattr_in in{};
  in.valid = FATTR_UID | FATTR_GID;
  in.uid = user;
  in.gid = group;
  return client.setattr(node, in);
}

Answer chmod(FuseClient& client, std::uint64_t node, std::uint32_t mode) {
  fuse_setattr_in in{};
  in.valid = FATTR_MODE;
  in.mode = mode;
  return client.setattr(node, in);
}

/// A set-user-ID program that lies in the share, open for writing by the guest.
struct PlantedProgram : Bench {
  explicit PlantedProgram(ShareConfig config = writable()) : Bench(std::move(config)) {
    plant();
    node = client->walk({"su"});
  }
  void plant() const { file("su", "program", 06755); }
  bool is_set_id() const { return (host_stat(share() / "su").st_mode & 06000U) != 0; }
  std::uint64_t node = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_ownership)

BOOST_AUTO_TEST_CASE(a_squashed_guest_makes_files_of_the_host_user_whoever_asks) {
  Bench bench;
  bench.client->uid = 1000;
  bench.client->gid = 1000;
  bench.client->try_create(1, "a", O_RDWR);
  const auto stat = host_stat(bench.share() / "a");
  BOOST_TEST(stat.st_uid == ::geteuid());
  BOOST_TEST(stat.st_gid == ::getegid());
  BOOST_TEST(bench.client->lookup(1, "a").attr.uid == 0U);
}

BOOST_AUTO_TEST_CASE(chown_to_root_is_nothing_to_do_and_to_others_not_allowed) {
  Bench bench;
  bench.file("a", "");
  const auto node = bench.client->walk({"a"});
  BOOST_TEST(chown(*bench.client, node, 0, 0).error == 0);
  BOOST_TEST(chown(*bench.client, node, 1000, 0).error == EPERM);
  BOOST_TEST(chown(*bench.client, node, 0, 1000).error == EPERM);
  BOOST_TEST(host_stat(bench.share() / "a").st_uid == ::geteuid());
}

BOOST_AUTO_TEST_CASE(other_owners_are_shown_as_nobody, *boost::unit_test::precondition(as_root)) {
  Bench bench;
  bench.file("a", "");
  ::chown((bench.share() / "a").c_str(), 4711, 4712);
  const auto entry = bench.client->lookup(1, "a");
  BOOST_TEST(entry.attr.uid == 65534U);
  BOOST_TEST(entry.attr.gid == 65534U);
  BOOST_TEST(chown(*bench.client, entry.nodeid, 65534, 65534).error == 0);
  BOOST_TEST(host_stat(bench.share() / "a").st_uid == 4711U);
}

BOOST_AUTO_TEST_CASE(a_squashed_guest_plants_no_set_user_id_program) {
  Bench bench;
  bench.client->try_create(1, "created", O_RDWR, 06755);
  bench.client->call(FUSE_MKNOD, 1,
                     Args().put(fuse_mknod_in{S_IFREG | 06755, 0, 0, 0}).text("made"));
  bench.file("changed", "");
  const Answer changed = chmod(*bench.client, bench.client->walk({"changed"}), 06755);
  BOOST_TEST(changed.as<fuse_attr_out>().attr.mode == (S_IFREG | 0755U));
  for (const auto* name : {"created", "made", "changed"}) {
    BOOST_TEST(host_stat(bench.share() / name).st_mode == (S_IFREG | 0755U), name);
  }
}

BOOST_AUTO_TEST_CASE(a_set_user_id_program_that_a_squashed_guest_changes_is_none_any_more) {
  PlantedProgram bench;
  auto handle = bench.client->open(bench.node, O_RDWR);
  BOOST_TEST(bench.is_set_id());
  bench.client->write(handle, 0, "evil");
  BOOST_TEST(!bench.is_set_id());
  // Also where the host sets the bits again while the guest has it open.
  bench.plant();
  bench.client->write(handle, 0, "evil");
  BOOST_TEST(!bench.is_set_id());

  bench.plant();
  bench.client->open(bench.node, O_WRONLY | O_TRUNC);
  BOOST_TEST(!bench.is_set_id());

  fuse_setattr_in in{};
  in.valid = FATTR_SIZE;
  in.size = 1;
  bench.plant();
  bench.client->setattr(bench.node, in);
  BOOST_TEST(!bench.is_set_id());

  bench.plant();
  in.valid |= FATTR_FH;
  in.fh = handle;
  bench.client->setattr(bench.node, in);
  BOOST_TEST(!bench.is_set_id());

  bench.plant();
  fuse_fallocate_in allocate{};
  allocate.fh = handle;
  allocate.length = 100;
  bench.client->call(FUSE_FALLOCATE, bench.node, Args().put(allocate));
  BOOST_TEST(!bench.is_set_id());

  bench.plant();
  bench.file("source", "evil");
  fuse_copy_file_range_in copy{};
  copy.fh_in = bench.client->open(bench.client->walk({"source"}), O_RDONLY);
  copy.fh_out = handle;
  copy.len = 4;
  bench.client->call(FUSE_COPY_FILE_RANGE, bench.node, Args().put(copy));
  BOOST_TEST(!bench.is_set_id());
}

BOOST_AUTO_TEST_CASE(a_group_is_inherited_through_a_set_group_id_directory) {
  Bench bench;
  const Answer made =
      bench.client->call(FUSE_MKDIR, 1, Args().put(fuse_mkdir_in{02775, 0}).text("d"));
  const auto directory = made.as<fuse_entry_out>();
  BOOST_TEST(directory.attr.mode == (S_IFDIR | 02775U));
  const Answer below = bench.client->call(FUSE_MKDIR, directory.nodeid,
                                          Args().put(fuse_mkdir_in{0755, 0}).text("e"));
  BOOST_TEST(below.as<fuse_entry_out>().attr.mode == (S_IFDIR | 02755U));
}

BOOST_AUTO_TEST_CASE(passthrough_keeps_ids_both_ways, *boost::unit_test::precondition(as_root)) {
  Bench bench(passthrough());
  bench.client->uid = 1000;
  bench.client->gid = 1001;
  const auto made = bench.client->try_create(1, "a", O_RDWR, 0640).as<fuse_entry_out>();
  BOOST_TEST(made.attr.uid == 1000U);
  BOOST_TEST(made.attr.gid == 1001U);
  bench.client->call(FUSE_MKDIR, 1, Args().put(fuse_mkdir_in{0750, 0}).text("d"));
  bench.client->call(FUSE_SYMLINK, 1, Args().text("l").text("target"));
  bench.client->call(FUSE_MKNOD, 1, Args().put(fuse_mknod_in{S_IFIFO | 0600, 0, 0, 0}).text("p"));
  for (const auto* name : {"a", "d", "l", "p"}) {
    BOOST_TEST(host_stat(bench.share() / name).st_uid == 1000U, name);
    BOOST_TEST(host_stat(bench.share() / name).st_gid == 1001U, name);
  }
  BOOST_TEST(chown(*bench.client, made.nodeid, 5, 6).as<fuse_attr_out>().attr.uid == 5U);
  BOOST_TEST(chmod(*bench.client, made.nodeid, 04755).as<fuse_attr_out>().attr.mode ==
             (S_IFREG | 04755U));
}

BOOST_AUTO_TEST_CASE(passthrough_follows_set_group_id_directories,
                     *boost::unit_test::precondition(as_root)) {
  Bench bench(passthrough());
  std::filesystem::create_directory(bench.share() / "d");
  ::chown((bench.share() / "d").c_str(), 0, 4712);
  ::chmod((bench.share() / "d").c_str(), 02777);
  bench.client->uid = bench.client->gid = 1000;
  const auto made = bench.client->try_create(bench.client->walk({"d"}), "a", O_RDWR);
  BOOST_TEST(made.as<fuse_entry_out>().attr.uid == 1000U);
  BOOST_TEST(made.as<fuse_entry_out>().attr.gid == 4712U);
}

BOOST_AUTO_TEST_CASE(passthrough_takes_bits_off_where_the_guests_kernel_asks,
                     *boost::unit_test::precondition(as_root)) {
  PlantedProgram bench(passthrough());
  const auto handle = bench.client->open(bench.node, O_RDWR);
  bench.client->write(handle, 0, "x");
  BOOST_TEST(bench.is_set_id());
  bench.client->write(handle, 0, "x", 0, FUSE_WRITE_KILL_SUIDGID);
  BOOST_TEST(!bench.is_set_id());
  bench.plant();
  bench.client->call(FUSE_OPEN, bench.node,
                     Args().put(fuse_open_in{O_WRONLY | O_TRUNC, FUSE_OPEN_KILL_SUIDGID}));
  BOOST_TEST(!bench.is_set_id());
  bench.plant();
  fuse_setattr_in in{};
  in.valid = FATTR_SIZE | FATTR_KILL_SUIDGID;
  bench.client->setattr(bench.node, in);
  BOOST_TEST(!bench.is_set_id());
}

BOOST_AUTO_TEST_CASE(passthrough_is_refused_where_this_process_is_nobody_special) {
  Bench bench;
  ::chmod(bench.scratch.path().c_str(), 0777);
  ShareConfig config = passthrough();
  config.host_path = bench.share();
  const pid_t child = ::fork();
  if (child == 0) {
    if (is_root() && ::setuid(12345) != 0) ::_exit(2);
    const auto server = FuseServer::create(config);
    if (server || server.error().code() != ErrorCode::PermissionDenied) ::_exit(1);
    // To show ids as they are is allowed to everybody.
    config.read_only = true;
    ::_exit(FuseServer::create(config).ok() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
