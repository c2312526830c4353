#include <sys/socket.h>
#include <actors/loop/file_pool.hpp>
#include <actors/loop/loop_actor.hpp>
#include <actors/share/share.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/host_state.hpp>
#include <tests/support/vhost_link.hpp>
#include <thread>

using namespace capsa;
using namespace std::chrono_literals;
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

/// Runs a share's actor without a machine and gives the error that it ends with (none where it was
/// asked to) and how long it took, once `what` was done with it and the machine's end of its
/// socket.
std::pair<caf::error, std::chrono::nanoseconds> end_of_share(
    const std::function<void(const actors::ShareActor&, UniqueFd&)>& what) {
  caf::actor_system_config config;
  actors::configure(config);
  caf::actor_system system(config);
  loop::EpollLoop loop(system);
  loop::FilePool files(1);
  virtio::fs::ShareConfig share;
  share.host_path = fs::temp_directory_path();
  share.tag = "t";
  std::shared_ptr<virtio::fs::FsDevice> device =
      virtio::fs::FsDevice::create(share, files.make_executor(loop)).value();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::bad_alloc();
  UniqueFd machine(ends[1]);
  const std::weak_ptr<virtio::fs::FsDevice> alive = device;
  auto actor = loop::spawn_on<actors::ShareActor, share::ShareState>(
      system, loop, std::move(device), test::vhost_link(UniqueFd(ends[0])));
  std::promise<caf::error> ended;
  actor->attach_functor([&ended](const caf::error& why) { ended.set_value(why); });
  const auto began = std::chrono::steady_clock::now();
  what(actor, machine);
  auto why = ended.get_future().get();
  const auto took = std::chrono::steady_clock::now() - began;
  actor = nullptr;
  // One that was not asked leaves its device to come to rest by itself.
  BOOST_TEST(test::eventually([&] { return alive.expired(); }));
  loop.stop();
  return {std::move(why), took};
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

BOOST_AUTO_TEST_CASE(is_at_rest_before_its_vm_has_ended) {
  const auto dir = shares().base / "busy";
  fs::create_directories(dir);
  std::vector<VmStatus> told;  // on the callback thread; read when that has ended
  Runtime own;
  Subscription heard;
  {
    auto vm = test::guest_vm(own)
                  .share(dir, "busy", MountMode::ReadWrite)
                  .agent_enabled()
                  .timeout(120s)
                  .build()
                  .get();
    heard = vm.subscribe([&told](const VmEvent& event) { told.push_back(event.status); });
    vm.start().get();
    auto agent = vm.agent().get();
    agent.exec("mkdir /busy && mount -t virtiofs busy /busy").get();
    for (const std::string name : {"a", "b", "c"})
      (void)agent
          .start(ExecSpec::shell_line("while :; do dd if=/dev/zero of=/busy/" + name +
                                      " bs=1M count=32 conv=fsync; done"))
          .get();
    BOOST_TEST_REQUIRE(test::eventually([&] { return fs::exists(dir / "c"); }));
  }
  // Nobody refers to the VM any more, and requests are with the file threads. What these touch when
  // they are done is still there, which is for the sanitizers to say.
  own.shutdown();
  BOOST_TEST_REQUIRE(!told.empty());
  BOOST_TEST(told.back().ended());
  // What still had a request would have the file open.
  for (const auto& fd : fs::directory_iterator("/proc/self/fd")) {
    std::error_code closed;
    BOOST_TEST(!fs::read_symlink(fd, closed).native().starts_with(dir.native()));
  }
}

BOOST_AUTO_TEST_CASE(ends_when_it_is_asked_to_and_fails_where_its_machine_leaves_it) {
  // On a thread of its own, as CAF leaves something with each that has made a system.
  std::thread([] {
    const auto [asked, soon] = end_of_share([](const actors::ShareActor& share, UniqueFd&) {
      caf::anon_send_exit(share, caf::exit_reason::user_shutdown);
    });
    BOOST_TEST((asked == caf::exit_reason::user_shutdown));
    BOOST_TEST((soon < 3s));
    // The machine hangs up and is given the time in which it would have ended.
    const auto [left, late] =
        end_of_share([](const actors::ShareActor&, UniqueFd& machine) { machine.reset(); });
    BOOST_TEST((actors::to_capsa_error(left).code() == ErrorCode::BackendFailed));
    BOOST_TEST((late >= 5s));
    // One that ends meanwhile takes its shares with it.
    const auto [ended, at_once] =
        end_of_share([](const actors::ShareActor& share, UniqueFd& machine) {
          machine.reset();
          caf::anon_send_exit(share, caf::exit_reason::user_shutdown);
        });
    BOOST_TEST((ended == caf::exit_reason::user_shutdown));
    BOOST_TEST((at_once < 3s));
  }).join();
}

BOOST_AUTO_TEST_SUITE_END()
