#include <boost/test/unit_test.hpp>
#include <tests/conformance/reference_rows.hpp>
#include <tests/conformance/reference_scene.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::builder_scene;
using test::said;

namespace {

std::string sha_in_guest(const AgentClient& agent, const std::string& device) {
  return said(agent, "sha256sum < " + device).substr(0, 64);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reference_of_disks)

BOOST_AUTO_TEST_CASE(disk_01_raw_by_extension) {
  for (const auto* name : {"disk.img", "disk.raw", "disk"})
    BOOST_TEST((DiskImage(name).effective_format() == ImageFormat::Raw), name);
  BOOST_TEST(sha_in_guest(builder_scene().agent, "/dev/vda") ==
             test::sha256(builder_scene().raw_bytes));
}

BOOST_AUTO_TEST_CASE(disk_02_qcow2_by_extension) {
  BOOST_TEST((DiskImage("disk.qcow2").effective_format() == ImageFormat::Qcow2));
  BOOST_TEST(sha_in_guest(builder_scene().agent, "/dev/vdb") ==
             test::sha256(builder_scene().qcow2_bytes));
}

BOOST_AUTO_TEST_CASE(disk_03_explicit_format) {
  // It wins over the name, either way.
  BOOST_TEST(sha_in_guest(test::disk_scene().agent, "/dev/vdb") ==
             test::sha256(test::disk_scene().odd_bytes));
  BOOST_TEST((DiskImage::with_format("disk.qcow2", ImageFormat::Raw).effective_format() ==
              ImageFormat::Raw));
}

BOOST_AUTO_TEST_CASE(disk_04_read_only) {
  BOOST_TEST(DiskImage("disk.img").read_only().is_read_only);
  said(builder_scene().agent, "echo x | dd of=/dev/vdc conv=notrunc,fsync");
  BOOST_TEST(sha_in_guest(builder_scene().agent, "/dev/vdc") ==
             test::sha256(builder_scene().locked_bytes));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reference_of_vsock)

namespace {

/// A VM of its own with these ports, where one is about to be stopped.
VmHandle with_ports(std::vector<VsockPortConfig> ports) {
  auto builder = test::guest_vm(test::runtime()).agent_enabled();
  for (auto& port : ports)
    builder = std::move(builder).vsock(std::move(port));
  auto vm = std::move(builder).build().get();
  vm.start().get();
  return vm;
}

}  // namespace

BOOST_AUTO_TEST_CASE(vsock_01_listen) {
  const auto config = VsockPortConfig::listen(1024, "/a/socket");
  BOOST_TEST((config == VsockPortConfig{1024, "/a/socket", false, true}));
  const auto peer =
      builder_scene()
          .agent
          .start(ExecSpec::command({"/tmp/peer", "connect", std::to_string(test::kListenAtPort)}))
          .get();
  const auto path = builder_scene().vm.vsock_socket(test::kListenAtPort)->path();
  BOOST_TEST(test::echoed(test::dial(path).get()) == "there and back\n");
}

BOOST_AUTO_TEST_CASE(vsock_02_listen_auto) {
  BOOST_TEST((VsockPortConfig::listen_auto(9) == VsockPortConfig{9, {}, false, true}));
  const auto path = builder_scene().vm.vsock_socket(test::kListenPort)->path();
  BOOST_TEST(path.is_absolute());
  BOOST_TEST(std::filesystem::is_socket(path));
}

BOOST_AUTO_TEST_CASE(vsock_03_connect) {
  BOOST_TEST((VsockPortConfig::connect(9, "/s") == VsockPortConfig{9, "/s", true, true}));
  const auto path = builder_scene().vm.vsock_socket(test::kConnectAtPort)->path();
  BOOST_TEST(test::echoed(test::dial(path).get()) == "there and back\n");
}

BOOST_AUTO_TEST_CASE(vsock_04_port) {
  for (const auto port : {test::kListenPort, test::kListenAtPort, test::kConnectPort})
    BOOST_TEST(builder_scene().vm.vsock_socket(port)->port() == port);
}

BOOST_AUTO_TEST_CASE(vsock_05_socket_path) {
  BOOST_TEST(builder_scene().vm.vsock_socket(test::kConnectAtPort)->path() ==
             builder_scene().dir.path() / "connect.sock");
}

BOOST_AUTO_TEST_CASE(vsock_06_connect_flag) {
  BOOST_TEST(builder_scene().vm.vsock_socket(test::kConnectPort)->connects());
  BOOST_TEST(!builder_scene().vm.vsock_socket(test::kListenPort)->connects());
}

BOOST_AUTO_TEST_CASE(vsock_07_auto_cleanup) {
  const tests::ScratchDir dir;
  const auto removed = dir.path() / "removed.sock";
  const auto kept = dir.path() / "kept.sock";
  auto keep = VsockPortConfig::listen(1025, kept);
  keep.auto_cleanup = false;
  auto vm = with_ports({VsockPortConfig::listen(1024, removed), keep});
  BOOST_TEST(std::filesystem::is_socket(removed));
  BOOST_TEST(std::filesystem::is_socket(kept));
  vm.kill().get();
  BOOST_TEST(!std::filesystem::exists(removed));
  BOOST_TEST(std::filesystem::exists(kept));
}

BOOST_AUTO_TEST_SUITE_END()
