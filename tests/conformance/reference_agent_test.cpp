#include <boost/test/unit_test.hpp>
#include <tests/conformance/reference_rows.hpp>
#include <tests/conformance/reference_scene.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::builder_scene;
using test::code_of;

namespace {

const AgentClient& agent() {
  return builder_scene().agent;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reference_of_agent_client)

BOOST_AUTO_TEST_CASE(agent_01_agent_port) {
  static_assert(sandbox::agent_port() == 52);
  const auto vm = test::sandbox().run("sleep", {"infinity"}).build().get();
  const auto socket = vm.vsock_socket(sandbox::agent_port());
  BOOST_TEST_REQUIRE(socket.has_value());
  BOOST_TEST(socket->connects());
  sandbox::wait_ready(*socket).get().ping().get();
}

BOOST_AUTO_TEST_CASE(agent_02_wait_ready) {
  const auto vm = test::guest_vm(test::runtime())
                      .vsock_connect(sandbox::agent_port())
                      .agent_enabled()
                      .build()
                      .get();
  const auto socket = *vm.vsock_socket(sandbox::agent_port());
  vm.start().get();
  BOOST_TEST(code_of(sandbox::wait_ready(socket, 0ms)) == ErrorCode::AgentUnavailable);
  sandbox::wait_ready(socket).get().ping().get();
}

BOOST_AUTO_TEST_CASE(agent_03_ping) {
  agent().ping().get();
}

BOOST_AUTO_TEST_CASE(agent_04_exec) {
  const auto out = agent().exec("echo $((6*7)); echo $GIVEN >&2; exit 3", {{"GIVEN", "a b"}}).get();
  BOOST_TEST(out.stdout_data == "42\n");
  BOOST_TEST(out.stderr_data == "a b\n");
  BOOST_TEST(out.status.code == 3);
}

BOOST_AUTO_TEST_CASE(agent_05_read_file) {
  test::said(agent(), "printf 'a\\0b' > /tmp/to-read");
  BOOST_TEST(agent().read_file("/tmp/to-read").get() == std::string("a\0b", 3));
  const auto missing = agent().read_file("/tmp/missing").result();
  BOOST_TEST_REQUIRE(!missing.ok());
  BOOST_TEST(missing.error().code() == ErrorCode::GuestError);
}

BOOST_AUTO_TEST_CASE(agent_06_write_file) {
  agent().write_file("/tmp/written", "content").get();
  BOOST_TEST(test::said(agent(), "cat /tmp/written") == "content");
}

BOOST_AUTO_TEST_CASE(agent_07_exists) {
  BOOST_TEST(agent().exists("/proc/version").get());
  BOOST_TEST(!agent().exists("/proc/nothing").get());
}

BOOST_AUTO_TEST_CASE(agent_08_list_dir) {
  test::said(agent(), "mkdir -p /tmp/dir/sub && echo x > /tmp/dir/file");
  const auto entries = agent().list_dir("/tmp/dir").get();
  BOOST_TEST_REQUIRE(entries.size() == 2U);
  BOOST_TEST(entries[0].name == "file");
  BOOST_TEST((entries[0].stat.kind == FileKind::Regular));
  BOOST_TEST(entries[1].name == "sub");
  BOOST_TEST((entries[1].stat.kind == FileKind::Directory));
}

BOOST_AUTO_TEST_CASE(agent_09_info) {
  const auto info = agent().info().get();
  BOOST_TEST(info.kernel_release + "\n" == test::said(agent(), "uname -r"));
  BOOST_TEST(info.cpus == 2U);
  BOOST_TEST(info.disks.size() >= 3U);
  BOOST_TEST((info.uptime > 0ms));
}

BOOST_AUTO_TEST_CASE(agent_10_shutdown) {
  auto vm = test::guest_vm(test::runtime()).agent_enabled().build().get();
  vm.start().get();
  vm.agent().get().shutdown().get();
  BOOST_TEST((vm.wait_timeout(60s).get() == std::optional<int>(0)));
}

BOOST_AUTO_TEST_SUITE_END()
