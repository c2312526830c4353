#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <mutex>
#include <numeric>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/host_state.hpp>
#include <thread>
#include <vector>

using namespace capsa;
using namespace std::chrono_literals;
using test::code_of;
using test::guest_vm;
using test::runtime;

BOOST_AUTO_TEST_SUITE(lifecycle)

BOOST_AUTO_TEST_CASE(a_vm_goes_through_its_life_and_boots_again) {
  std::mutex mutex;
  std::vector<VmEvent> events;
  auto vm = guest_vm(runtime()).name("life").cpus(2).agent_enabled().build().get();
  const auto subscription = vm.subscribe([&](const VmEvent& event) {
    std::lock_guard lock(mutex);
    events.push_back(event);
  });
  BOOST_TEST(vm.status() == VmStatus::created());
  BOOST_TEST(vm.resources() == (ResourceConfig{2, 512}));
  BOOST_TEST(vm.name() == "life");
  BOOST_TEST((vm.guest_os() == GuestOs::Linux));
  BOOST_TEST(code_of(vm.stop()) == ErrorCode::NotRunning);
  BOOST_TEST(code_of(vm.vcpus()) == ErrorCode::NotRunning);
  BOOST_TEST(code_of(vm.console()) == ErrorCode::ConsoleDisabled);
  BOOST_TEST(code_of(vm.main_process()) == ErrorCode::InvalidConfig);

  vm.start().get();
  BOOST_TEST(vm.status() == VmStatus::running());
  BOOST_TEST(code_of(vm.start()) == ErrorCode::AlreadyRunning);
  auto agent = vm.agent().get();
  const auto info = agent.info().get();
  BOOST_TEST(info.kernel_release == test::guest().kernel_version);
  BOOST_TEST(info.cpus == 2U);
  BOOST_TEST(info.hostname.size() > 0U);

  // Each vCPU is a thread whose time grows while it works and stands while it is paused.
  const auto vcpus = vm.vcpus().get();
  BOOST_TEST(vcpus.size() == 2U);
  vcpus[0].pin({0}).get();
  std::vector<unsigned> all(std::thread::hardware_concurrency());
  std::iota(all.begin(), all.end(), 0U);
  vcpus[0].pin(all).get();
  BOOST_TEST(code_of(vcpus[0].pin({})) == ErrorCode::InvalidConfig);
  const auto used = [&] {
    const auto stats = vcpus[0].stats().get();
    return stats.user + stats.system;
  };
  BOOST_TEST((used() > 0ns));
  vcpus[0].pause().get();
  auto ping = agent.ping();
  BOOST_TEST(!ping.wait_for(300ms));
  vcpus[0].resume().get();
  ping.get();
  vm.pause().get();
  auto second_ping = agent.ping();
  BOOST_TEST(!second_ping.wait_for(300ms));
  vm.resume().get();
  second_ping.get();

  // Any number of callers, before and after the end, get the same.
  auto early = vm.wait();
  auto also_early = vm.wait();
  // By the VM itself, which forgets the waiter; the request's own deadline has other words.
  const auto waited = vm.wait_timeout(50ms).result();
  BOOST_TEST_REQUIRE(!waited.ok());
  BOOST_TEST(waited.error().code() == ErrorCode::Timeout);
  BOOST_TEST(waited.error().message() == "VM \"life\" is running");
  vm.stop_with_timeout(20s).get();
  BOOST_TEST(vm.status() == VmStatus::stopped(0));
  BOOST_TEST((early.get() == std::optional<int>(0)));
  BOOST_TEST((also_early.get() == std::optional<int>(0)));
  BOOST_TEST((vm.wait().get() == std::optional<int>(0)));
  BOOST_TEST((vm.wait_timeout(1s).get() == std::optional<int>(0)));
  BOOST_TEST(code_of(agent.ping()) == ErrorCode::NotRunning);
  BOOST_TEST(code_of(vcpus[0].stats()) == ErrorCode::NotRunning);

  vm.start().get();
  vm.agent().get().ping().get();
  vm.kill().get();
  BOOST_TEST(vm.status() == VmStatus::stopped(std::nullopt));
  BOOST_TEST((vm.wait().get() == std::optional<int>()));
  BOOST_TEST(test::machines_here() == 0U);

  std::lock_guard lock(mutex);
  const auto count = [&](VmEvent::Kind kind) {
    return std::count_if(events.begin(), events.end(),
                         [kind](const VmEvent& event) { return event.kind == kind; });
  };
  BOOST_TEST(count(VmEvent::Kind::Paused) == 1);
  BOOST_TEST(count(VmEvent::Kind::Resumed) == 1);
  BOOST_TEST(count(VmEvent::Kind::AgentLost) == 0);  // it went with its guest, as asked
  std::vector<std::string> statuses;
  for (const auto& event : events)
    if (event.kind == VmEvent::Kind::StatusChanged) statuses.push_back(to_string(event.status));
  const std::vector<std::string> expected = {"starting", "running", "stopping", "stopped(0)",
                                             "starting", "running", "stopping"};
  BOOST_TEST_REQUIRE(statuses.size() >= expected.size());
  statuses.resize(expected.size());
  BOOST_TEST(statuses == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_guest_that_ends_by_itself_is_seen) {
  auto vm = guest_vm(runtime()).agent_enabled().build().get();
  vm.start().get();
  auto waiting = vm.wait();
  vm.agent().get().shutdown().get();
  BOOST_TEST((waiting.get() == std::optional<int>(0)));
  BOOST_TEST(vm.status() == VmStatus::stopped(0));

  // A kernel that panics is a failure, with its last words.
  vm.start().get();
  auto agent = vm.agent().get();
  (void)agent.exec("echo c > /proc/sysrq-trigger").result();
  auto failed = vm.wait().result();
  BOOST_TEST_REQUIRE(!failed.ok());
  BOOST_TEST(failed.error().code() == ErrorCode::VmEnded);
  BOOST_TEST(failed.error().message().find("panic") != std::string::npos, failed.error().message());
  BOOST_TEST(vm.status().is<VmStatus::Failed>());
}

// The machine's actor may not have begun to run when the kill overtakes the start.
BOOST_AUTO_TEST_CASE(a_kill_right_after_the_start_is_kept) {
  auto vm = guest_vm(runtime()).agent_enabled().build().get();
  for (int round = 0; round < 10; ++round) {
    const auto began = std::chrono::steady_clock::now();
    auto starting = vm.start();
    vm.kill().get();
    BOOST_TEST((std::chrono::steady_clock::now() - began < 20s));
    BOOST_TEST(vm.status() == VmStatus::stopped(std::nullopt));
    BOOST_TEST((vm.wait().get() == std::optional<int>()));
    const auto started = code_of(std::move(starting));
    BOOST_TEST((!started || *started == ErrorCode::VmEnded), started);
    BOOST_TEST(test::machines_here() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_drop_or_a_shutdown_right_after_the_start_leaves_no_process) {
  for (int round = 0; round < 3; ++round) {
    auto starting = guest_vm(runtime()).build().get().start();
    BOOST_TEST(code_of(std::move(starting)).has_value());
    BOOST_TEST(test::eventually([] { return runtime().live_vms() == 0; }));
    BOOST_TEST(test::machines_here() == 0U);

    Runtime own;
    auto vm = guest_vm(own).build().get();
    starting = vm.start();
    own.shutdown();
    BOOST_TEST(starting.wait_for(0s));
    BOOST_TEST(test::machines_here() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_vm_that_is_ending_answers_as_one_that_has_ended) {
  auto vm = guest_vm(runtime()).build().get();
  vm.start().get();
  const auto vcpus = vm.vcpus().get();
  auto killing = vm.kill();
  const auto ended = [](std::optional<ErrorCode> code) {
    return !code || *code == ErrorCode::NotRunning || *code == ErrorCode::VmEnded;
  };
  do {
    BOOST_TEST(vm.kernel_log().result().ok());
    const auto paused = code_of(vm.pause());
    BOOST_TEST(ended(paused), paused);
    const auto stats = code_of(vcpus[0].stats());
    BOOST_TEST(ended(stats), stats);
  } while (!killing.wait_for(0s));
  BOOST_TEST(vm.kernel_log().result().ok());
}

BOOST_AUTO_TEST_CASE(a_dropped_handle_leaves_no_process) {
  {
    auto vm = guest_vm(runtime()).build().get();
    vm.start().get();
    BOOST_TEST(test::machines_here() == 1U);
  }
  BOOST_TEST(test::eventually([] { return test::machines_here() == 0U; }));
  BOOST_TEST(test::eventually([] { return runtime().live_vms() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_runtime_that_shuts_down_answers_everybody) {
  Runtime own;
  auto vm = guest_vm(own).agent_enabled().build().get();
  vm.start().get();
  auto waiting = vm.wait();
  auto agent = vm.agent();
  own.shutdown();
  BOOST_TEST(waiting.wait_for(0s));
  BOOST_TEST(agent.wait_for(0s));
  BOOST_TEST(code_of(guest_vm(own).build()) == ErrorCode::RuntimeShutdown);
  BOOST_TEST(code_of(vm.start()).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
