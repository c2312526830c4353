#include <sys/socket.h>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <tests/conformance/net_guest.hpp>
#include <tests/conformance/net_lab.hpp>
#include <tests/conformance/reference_rows.hpp>
#include <tests/conformance/reference_scene.hpp>
#include <thread>

using namespace capsa;
using namespace std::chrono_literals;
using test::builder_scene;
using test::code_of;
using test::said;

namespace {

const auto kLoopback = IpAddress::v4(127, 0, 0, 1);

std::string scene_says(const std::string& line) {
  return said(builder_scene().agent, line);
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A guest behind a NAT with the builder's settings, which listens on its ports.
struct NatScene {
  test::NetGuest guest{NetworkMode::user_nat()
                           .subnet("192.168.100.0/24")
                           .forward_tcp(0, 8080)
                           .forward_udp(0, 8081)
                           .policy(NetworkPolicy::deny_all())
                           .build()};
};
NatScene& nat_scene() {
  static NatScene scene;
  return scene;
}

PortForward forward_of(Protocol protocol) {
  for (const auto& one : nat_scene().guest.network.forwards().get())
    if (one.protocol == protocol) return one;
  throw std::runtime_error("no such forward");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reference_of_builder_methods)

BOOST_AUTO_TEST_CASE(builder_01_cpus) {
  BOOST_TEST(scene_says("nproc") == "2\n");
}

BOOST_AUTO_TEST_CASE(builder_02_memory_mb) {
  const auto total = builder_scene().agent.info().get().memory_total_bytes >> 20;
  BOOST_TEST(total <= 384U);
  BOOST_TEST(total > 300U);
}

BOOST_AUTO_TEST_CASE(builder_03_timeout) {
  const auto bounded =
      test::guest_vm(test::runtime()).console_enabled().timeout(200ms).build().get();
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(code_of(bounded.wait()) == ErrorCode::Timeout);
  BOOST_TEST(code_of(bounded.console().get().wait_for("nothing")) == ErrorCode::Timeout);
  BOOST_TEST((std::chrono::steady_clock::now() - began < 20s));
}

BOOST_AUTO_TEST_CASE(builder_04_build) {
  BOOST_TEST(test::guest_vm(test::runtime()).build().get().status() == VmStatus::created());
  const auto refused = test::guest_vm(test::runtime()).cpus(0).build().result();
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST(refused.error().code() == ErrorCode::InvalidConfig);
  BOOST_TEST(holds(refused.error().message(), "cpus: 0"));
}

BOOST_AUTO_TEST_CASE(builder_05_console_enabled) {
  BOOST_TEST(builder_scene().console.exec("echo $((6*7))", 60s).get().output == "42\n");
}

BOOST_AUTO_TEST_CASE(builder_06_network_none) {
  BOOST_TEST(!holds(scene_says("ls /sys/class/net"), "eth"));
}

BOOST_AUTO_TEST_CASE(builder_07_network_nat) {
  // Of the lab's host, not of this one: see NetLab.
  if (test::NetLab::instance()) std::ofstream("/proc/sys/net/ipv4/ip_forward") << "1";
  const auto built = test::guest_vm(test::runtime()).network(NetworkMode::nat()).build().result();
  if (!built.ok()) {
    const auto code = built.error().code();
    BOOST_TEST((code == ErrorCode::PermissionDenied || code == ErrorCode::NotFound ||
                code == ErrorCode::UnsupportedFeature));
    BOOST_TEST(!built.error().hint().empty());
    return test::row_refused(built.error().what());
  }
  test::NetGuest guest(NetworkMode::nat(), "nat");
  BOOST_TEST(holds(guest.sh("ip -4 addr show eth0"), "inet 10.0."));
  if (!test::NetLab::instance()) return;
  std::optional<test::TcpServer> far;
  test::NetLab::instance().inside(
      [&] { far.emplace(test::ip("0.0.0.0"), 7009, test::serve_echo); });
  BOOST_TEST(guest.sh("echo $((6*7)) | nc -w 20 203.0.113.9 7009") == "42\n");
}

BOOST_AUTO_TEST_CASE(builder_08_network_user_nat_by_default) {
  const test::NetGuest guest(NetworkMode::user_nat(UserNatConfig{}));
  const auto addresses = guest.agent.info().get().addresses;
  const bool there = std::any_of(addresses.begin(), addresses.end(), [](const auto& one) {
    return one.interface == "eth0" && one.address == "10.0.2.15" && one.prefix_len == 24;
  });
  BOOST_TEST(there);
}

BOOST_AUTO_TEST_CASE(builder_09_user_nat_subnet) {
  BOOST_TEST(holds(nat_scene().guest.sh("ip -4 addr show eth0"), "192.168.100.15/24"));
  BOOST_TEST(holds(nat_scene().guest.sh("ip route"), "default via 192.168.100.2"));
}

BOOST_AUTO_TEST_CASE(builder_10_user_nat_forward_tcp) {
  const auto server =
      nat_scene()
          .guest.agent
          .start(ExecSpec::shell_line(
              "while true; do nc -l -p 8080 -e sh -c 'read x; echo $((x+1))'; done"))
          .get();
  const auto forward = forward_of(Protocol::Tcp);
  BOOST_TEST(forward.host_port != 0);
  std::string answer;
  // The guest's listener comes up when it does.
  for (int tries = 0; tries < 400 && answer != "42\n"; ++tries) {
    if (tries != 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto fd = test::connect_to(kLoopback, forward.host_port);
    if (fd && test::write_all(fd.get(), "41\n")) answer = test::read_all(fd.get());
  }
  BOOST_TEST(answer == "42\n");
  server.signal(9).get();
}

BOOST_AUTO_TEST_CASE(builder_11_user_nat_forward_udp) {
  if (const auto missing = test::missing_python(); !missing.empty())
    return test::row_skipped(missing);
  BOOST_TEST(nat_scene().guest.probe("serve_udp(8081)") == "serving");
  const auto fd = test::connect_to(kLoopback, forward_of(Protocol::Udp).host_port, SOCK_DGRAM);
  BOOST_TEST_REQUIRE(test::write_all(fd.get(), "a datagram"));
  char buffer[64];
  const auto got = ::recv(fd.get(), buffer, sizeof buffer, 0);
  BOOST_TEST((got > 0 && std::string(buffer, static_cast<std::size_t>(got)) == "a datagram"));
}

BOOST_AUTO_TEST_CASE(builder_12_user_nat_policy) {
  nat_scene().guest.forget_denials();
  BOOST_TEST(holds(nat_scene().guest.sh("nc -w 5 203.0.113.1 9000 </dev/null"), "status"));
  BOOST_TEST(!nat_scene().guest.denial({"203.0.113.1:9000", "the default: deny"}).empty());
}

BOOST_AUTO_TEST_CASE(builder_13_network_cluster) {
  const test::NetGuest one(NetworkMode::cluster("my-cluster").build(), "one");
  test::NetGuest two(NetworkMode::cluster("my-cluster").build(), "two");
  BOOST_TEST(holds(two.sh("ping -c 1 -W 5 one"), "1 packets received"));
}

BOOST_AUTO_TEST_CASE(builder_14_share_read_only) {
  BOOST_TEST(scene_says("cat /ro/given") == "by the host");
  BOOST_TEST(holds(scene_says("echo x > /ro/mine"), "status"));
  BOOST_TEST(!std::filesystem::exists(builder_scene().dir.path() / "ro/mine"));
}

BOOST_AUTO_TEST_CASE(builder_15_share_read_write) {
  BOOST_TEST(scene_says("echo $((6*7)) > /rw/mine") == "");
  std::string line;
  std::getline(std::ifstream(builder_scene().dir.path() / "rw/mine") >> std::ws, line);
  BOOST_TEST(line == "42");
}

BOOST_AUTO_TEST_CASE(builder_16_several_shares) {
  BOOST_TEST(scene_says("grep -c virtiofs /proc/mounts") == "2\n");
}

BOOST_AUTO_TEST_CASE(builder_17_vsock_listen) {
  const auto socket = builder_scene().vm.vsock_socket(test::kListenPort);
  BOOST_TEST_REQUIRE(socket.has_value());
  auto next = socket->accept();
  const auto peer =
      builder_scene()
          .agent
          .start(ExecSpec::command({"/tmp/peer", "connect", std::to_string(test::kListenPort)}))
          .get();
  BOOST_TEST(test::echoed(next.get().fd()) == "there and back\n");
}

BOOST_AUTO_TEST_CASE(builder_18_vsock_listen_at) {
  const auto path = builder_scene().dir.path() / "listen.sock";
  BOOST_TEST(builder_scene().vm.vsock_socket(test::kListenAtPort)->path() == path);
  const auto peer =
      builder_scene()
          .agent
          .start(ExecSpec::command({"/tmp/peer", "connect", std::to_string(test::kListenAtPort)}))
          .get();
  BOOST_TEST(test::echoed(test::dial(path).get()) == "there and back\n");
}

BOOST_AUTO_TEST_CASE(builder_19_vsock_connect) {
  const auto stream = builder_scene().vm.vsock_socket(test::kConnectPort)->connect().get();
  BOOST_TEST(test::echoed(stream.fd()) == "there and back\n");
}

BOOST_AUTO_TEST_CASE(builder_20_vsock_connect_at) {
  BOOST_TEST(test::echoed(test::dial(builder_scene().dir.path() / "connect.sock").get()) ==
             "there and back\n");
}

BOOST_AUTO_TEST_CASE(builder_21_disks_in_order) {
  const auto disks = builder_scene().vm.disks();
  BOOST_TEST_REQUIRE(disks.size() == 3U);
  BOOST_TEST(disks[0].device == "/dev/vda");
  BOOST_TEST(disks[2].device == "/dev/vdc");
  BOOST_TEST(scene_says("sha256sum < /dev/vda").substr(0, 64) ==
             test::sha256(builder_scene().raw_bytes));
  BOOST_TEST(scene_says("sha256sum < /dev/vdb").substr(0, 64) ==
             test::sha256(builder_scene().qcow2_bytes));
}

BOOST_AUTO_TEST_CASE(builder_22_disk_read_only) {
  BOOST_TEST(scene_says("cat /sys/block/vdc/ro") == "1\n");
  BOOST_TEST(holds(scene_says("echo x | dd of=/dev/vdc conv=notrunc"), "status"));
}

BOOST_AUTO_TEST_CASE(builder_23_disk_with_format) {
  BOOST_TEST(said(test::disk_scene().agent, "sha256sum < /dev/vdb").substr(0, 64) ==
             test::sha256(test::disk_scene().odd_bytes));
}

BOOST_AUTO_TEST_CASE(builder_24_cmdline_arg) {
  const auto line = scene_says("cat /proc/cmdline");
  BOOST_TEST(holds(line, "reference=\"a row\"") != holds(line, "\"reference=a row\""));
  BOOST_TEST(!holds(line, "reference=first"));
}

BOOST_AUTO_TEST_CASE(builder_25_cmdline_flag) {
  BOOST_TEST(holds(scene_says("cat /proc/cmdline"), " reference_flag"));
}

BOOST_AUTO_TEST_CASE(builder_26_cmdline_override) {
  // What the guest needs, as one line of one's own.
  auto vm = test::guest_vm(test::runtime())
                .agent_enabled()
                .console_enabled()
                .cmdline_override("console=ttyS0 panic=-1 no_timer_check tsc=reliable " +
                                  test::guest().command_line + " reference=override")
                .build()
                .get();
  vm.start().get();
  const auto line = said(vm.agent().get(), "cat /proc/cmdline");
  BOOST_TEST(line.starts_with("console=ttyS0 panic=-1 no_timer_check"));
  BOOST_TEST(holds(line, "reference=override"));
  BOOST_TEST(!holds(line, "hvc0"));  // which is of the defaults
  vm.kill().get();
}

BOOST_AUTO_TEST_SUITE_END()
