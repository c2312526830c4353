#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <mutex>
#include <set>
#include <tests/conformance/reference_rows.hpp>
#include <tests/conformance/reference_scene.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::builder_scene;
using test::code_of;
using test::guest_vm;
using test::runtime;

namespace {

/// One life of a VM: started, stopped through its agent, and what it went through.
struct Life {
  std::mutex mutex;
  std::vector<VmStatus> seen;
  VmHandle vm = guest_vm(runtime()).agent_enabled().build().get();
  VmStatus before = vm.status();
  VmStatus while_running;
  std::optional<int> exit_code;

  Life() {
    const auto subscription = vm.subscribe([this](const VmEvent& event) {
      const std::lock_guard lock(mutex);
      if (event.kind == VmEvent::Kind::StatusChanged) seen.push_back(event.status);
    });
    vm.start().get();
    while_running = vm.status();
    vm.agent().get().ping().get();
    vm.stop_with_timeout(60s).get();
    exit_code = vm.wait().get();
    // What is told of a life comes in order, so all of it was told when the next one has begun.
    const auto again = vm.start().result();
    while (again.ok()) {
      const std::lock_guard lock(mutex);
      if (std::count(seen.begin(), seen.end(), VmStatus::starting()) == 2) break;
    }
    vm.kill().get();
  }
  bool saw(const VmStatus& status) const {
    return std::find(seen.begin(), seen.end(), status) != seen.end();
  }
};
Life& life() {
  static Life instance;
  return instance;
}

/// A VM whose kernel gives up: what its end is like.
struct Panic {
  VmHandle vm = guest_vm(runtime()).agent_enabled().build().get();
  result<std::optional<int>> end = error(ErrorCode::Internal, "not yet");
  Panic() {
    vm.start().get();
    (void)vm.agent().get().exec("echo c > /proc/sysrq-trigger").result();
    end = vm.wait_timeout(60s).result();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(reference_of_vm_handles)

BOOST_AUTO_TEST_CASE(handle_01_start) {
  BOOST_TEST(builder_scene().vm.status() == VmStatus::running());
  BOOST_TEST(code_of(builder_scene().vm.start()) == ErrorCode::AlreadyRunning);
}

BOOST_AUTO_TEST_CASE(handle_02_stop) {
  auto vm = guest_vm(runtime()).agent_enabled().build().get();
  vm.start().get();
  vm.agent().get();
  vm.stop().get();
  // The guest powered itself off: a kill has no exit code.
  BOOST_TEST(vm.status() == VmStatus::stopped(0));
}

BOOST_AUTO_TEST_CASE(handle_03_stop_with_timeout) {
  BOOST_TEST((life().exit_code == std::optional<int>(0)));
  // A guest that does nothing about it is killed in the end.
  auto vm = guest_vm(runtime()).cmdline_arg("rdinit", "/bin/true").build().get();
  vm.start().get();
  const auto began = std::chrono::steady_clock::now();
  vm.stop_with_timeout(100ms).get();
  BOOST_TEST((std::chrono::steady_clock::now() - began < 20s));
  BOOST_TEST(vm.status().ended());
}

BOOST_AUTO_TEST_CASE(handle_04_kill) {
  auto vm = guest_vm(runtime()).build().get();
  vm.start().get();
  vm.kill().get();
  BOOST_TEST(vm.status() == VmStatus::stopped(std::nullopt));
}

BOOST_AUTO_TEST_CASE(handle_05_wait) {
  auto vm = guest_vm(runtime()).agent_enabled().build().get();
  vm.start().get();
  auto first = vm.wait();
  auto second = vm.wait();
  vm.agent().get().shutdown().get();
  BOOST_TEST((first.get() == std::optional<int>(0)));
  BOOST_TEST((second.get() == std::optional<int>(0)));
  BOOST_TEST((vm.wait().get() == std::optional<int>(0)));
}

BOOST_AUTO_TEST_CASE(handle_06_wait_timeout) {
  BOOST_TEST(code_of(builder_scene().vm.wait_timeout(50ms)) == ErrorCode::Timeout);
}

BOOST_AUTO_TEST_CASE(handle_07_status_created) {
  BOOST_TEST(life().before == VmStatus::created());
}

BOOST_AUTO_TEST_CASE(handle_08_status_starting) {
  BOOST_TEST(life().saw(VmStatus::starting()));
}

BOOST_AUTO_TEST_CASE(handle_09_status_running) {
  BOOST_TEST(life().while_running == VmStatus::running());
}

BOOST_AUTO_TEST_CASE(handle_10_status_stopping) {
  BOOST_TEST(life().saw(VmStatus::stopping()));
}

BOOST_AUTO_TEST_CASE(handle_11_status_stopped_with_exit_code) {
  BOOST_TEST(life().saw(VmStatus::stopped(0)));
}

BOOST_AUTO_TEST_CASE(handle_12_status_failed_with_message) {
  const Panic panic;
  BOOST_TEST_REQUIRE(!panic.end.ok());
  BOOST_TEST(panic.end.error().code() == ErrorCode::VmEnded);
  const auto status = panic.vm.status();
  const auto* failed = status.get_if<VmStatus::Failed>();
  BOOST_TEST_REQUIRE(failed != nullptr);
  BOOST_TEST(failed->message.find("panic") != std::string::npos, failed->message);
}

BOOST_AUTO_TEST_CASE(handle_13_console) {
  auto console = builder_scene().vm.console().get();
  BOOST_TEST(console.exec("echo $((40+2))", 60s).get().output == "42\n");
}

BOOST_AUTO_TEST_CASE(handle_14_vsock_socket) {
  BOOST_TEST(builder_scene().vm.vsock_socket(test::kListenPort).has_value());
  BOOST_TEST(!builder_scene().vm.vsock_socket(4711).has_value());
}

BOOST_AUTO_TEST_CASE(handle_15_vsock_sockets) {
  std::set<std::uint32_t> ports;
  for (const auto& socket : builder_scene().vm.vsock_sockets())
    ports.insert(socket.port());
  for (const auto port :
       {test::kListenPort, test::kListenAtPort, test::kConnectPort, test::kConnectAtPort})
    BOOST_TEST(ports.contains(port));
}

BOOST_AUTO_TEST_CASE(handle_16_resources) {
  BOOST_TEST(builder_scene().vm.resources() == (ResourceConfig{2, 384}));
}

BOOST_AUTO_TEST_CASE(handle_17_guest_os) {
  BOOST_TEST((builder_scene().vm.guest_os() == GuestOs::Linux));
}

BOOST_AUTO_TEST_CASE(handle_18_console_refused_without_console_enabled) {
  BOOST_TEST(code_of(life().vm.console()) == ErrorCode::ConsoleDisabled);
}

BOOST_AUTO_TEST_SUITE_END()
