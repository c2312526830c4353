#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <tests/conformance/guest_fixture.hpp>

using namespace capsa;
namespace fs = std::filesystem;

namespace {

/// The host's side: a read-only and a read-write directory, and a secret beside them.
struct Shares {
  fs::path base = fs::temp_directory_path() / "capsa-share-test";
  VmHandle vm;
  AgentClient agent;

  Shares() : vm(make()), agent(start()) {}
  ~Shares() { fs::remove_all(base); }

  VmHandle make() {
    fs::remove_all(base);
    fs::create_directories(base / "ro/dir");
    fs::create_directories(base / "rw");
    fs::create_directories(base / "outside");
    std::ofstream(base / "ro/file") << "read me";
    std::ofstream(base / "outside/secret") << "secret";
    return test::guest_vm(test::runtime())
        .share(base / "ro", "ro", MountMode::ReadOnly)
        .share(base / "rw", "rw", MountMode::ReadWrite)
        .agent_enabled()
        .build()
        .get();
  }
  AgentClient start() {
    vm.start().get();
    auto client = vm.agent().get();
    client.exec("mkdir -p /ro /rw && mount -t virtiofs ro /ro && mount -t virtiofs rw /rw").get();
    return client;
  }
};

Shares& shares() {
  static Shares instance;
  return instance;
}

/// Runs a shell line as guest root and gives its status and error text.
ExecResult guest(const std::string& line) {
  return shares().agent.exec(line).get();
}

/// The line must fail with this errno's text, as the guest's own tools report it.
void refused(const std::string& line, const std::string& text) {
  const auto out = guest(line);
  BOOST_TEST(out.status.code != 0, line << " succeeded");
  BOOST_TEST(out.stderr_data.find(text) != std::string::npos, line << ": " << out.stderr_data);
}

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_share)

BOOST_AUTO_TEST_CASE(that_is_read_only_is_so_for_guest_root) {
  const std::string ro = "Read-only file system";
  BOOST_TEST(guest("cat /ro/file").stdout_data == "read me");
  refused("echo x > /ro/file", ro);
  refused("echo x > /ro/new", ro);
  refused("mkdir /ro/newdir", ro);
  refused("rm /ro/file", ro);
  refused("rmdir /ro/dir", ro);
  refused("mv /ro/file /ro/other", ro);
  refused("ln -s /etc /ro/link", ro);
  refused("ln /ro/file /ro/hard", ro);
  refused("chmod 777 /ro/file", ro);
  refused("chown 5 /ro/file", ro);
  refused("touch /ro/file", ro);
  refused("mkfifo /ro/fifo", ro);
  refused("truncate -s 0 /ro/file", ro);
  // Remounting changes the guest's mind, not the host's.
  guest("mount -o remount,rw /ro");
  refused("echo x > /ro/file", ro);
  BOOST_TEST(content(shares().base / "ro/file") == "read me");
  BOOST_TEST(
      std::distance(fs::directory_iterator(shares().base / "ro"), fs::directory_iterator()) == 2);
}

BOOST_AUTO_TEST_CASE(cannot_be_left_by_a_guest) {
  const auto outside = (shares().base / "outside").string();
  // '..' of the root is the guest's own parent.
  refused("cat /rw/../outside/secret", "No such file");
  refused("cd /rw && cat ../outside/secret", "No such file");
  // A planted symlink is interpreted in the guest, where its target does not exist.
  guest("ln -s " + outside + "/secret /rw/planted");
  refused("cat /rw/planted", "No such file");
  guest("ln -s ../outside /rw/relative");
  refused("cat /rw/relative/secret", "No such file");
  // A symlink put in place of a directory that was looked up before.
  guest(
      "mkdir /rw/victim && echo inside > /rw/victim/secret && cd /rw/victim && "
      "mv /rw/victim /rw/aside && ln -s " +
      outside + " /rw/victim");
  refused("cat /rw/victim/secret", "No such file");
  BOOST_TEST(guest("cat /rw/aside/secret").stdout_data == "inside\n");
  // The same by the host's hand: an existing symlink that leads outside is still only text.
  fs::create_symlink(shares().base / "outside", shares().base / "rw/hostlink");
  refused("cat /rw/hostlink/secret", "No such file");
  refused("echo x > /rw/hostlink/new", "nonexistent directory");
  // A hard link to something outside cannot even be named.
  refused("ln /etc/passwd /rw/hard", "Invalid cross-device link");
  refused("ln /ro/file /rw/hard", "Invalid cross-device link");
  BOOST_TEST(content(shares().base / "outside/secret") == "secret");
  BOOST_TEST(std::distance(fs::directory_iterator(outside), fs::directory_iterator()) == 1);
}

BOOST_AUTO_TEST_CASE(that_is_writable_makes_the_host_users_files_and_no_devices) {
  guest("echo mine > /rw/mine && chmod 4755 /rw/mine && mkdir /rw/sub");
  const auto perms = fs::status(shares().base / "rw/mine").permissions();
  BOOST_TEST(((perms & fs::perms::set_uid) == fs::perms::none));
  refused("mknod /rw/dev b 8 0", "not permitted");
  BOOST_TEST(guest("stat -c %u:%g /rw/mine").stdout_data == "0:0\n");
  guest("mv /rw/mine /rw/sub/moved && rm -rf /rw/sub");
  BOOST_TEST(!fs::exists(shares().base / "rw/sub"));
}

BOOST_AUTO_TEST_CASE(carries_a_hundred_mebibytes_both_ways_unchanged) {
  const auto data = test::random_bytes(100U << 20, 3);
  std::ofstream(shares().base / "rw/from-host", std::ios::binary) << data;
  const auto sum = test::sha256(data);
  BOOST_TEST(guest("sha256sum /rw/from-host | cut -d' ' -f1").stdout_data == sum + "\n");
  BOOST_TEST(guest("cp /rw/from-host /rw/from-guest && sync").status.code == 0);
  BOOST_TEST(test::sha256(content(shares().base / "rw/from-guest")) == sum);
}

BOOST_AUTO_TEST_SUITE_END()
