#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/host_state.hpp>

using namespace capsa;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

// The lock that orders the starts of all runtimes of a user; it belongs to none of them.
constexpr std::size_t kShared = 1;

BOOST_AUTO_TEST_SUITE(nothing_is_left)

BOOST_AUTO_TEST_CASE(of_a_host_program_that_was_killed) {
  test::guest();
  const auto base = fs::temp_directory_path() / "capsa-killed-host";
  fs::remove_all(base);
  // Before any thread exists here: the child makes a runtime of its own.
  int pipe_fds[2];
  BOOST_TEST_REQUIRE(::pipe(pipe_fds) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    RuntimeOptions options;
    options.runtime_dir = base;
    Runtime own(options);
    auto vm = test::guest_vm(own).vsock_listen(1024).build().get();
    vm.start().get();
    (void)!::write(pipe_fds[1], "r", 1);
    ::pause();
    ::_exit(0);
  }
  char ready;
  BOOST_TEST_REQUIRE(::read(pipe_fds[0], &ready, 1) == 1);
  const auto machines = test::qemu_processes(child);
  // A machine of KVM's is in the child itself.
  BOOST_TEST_REQUIRE(machines.size() == (test::on_kvm() ? 0U : 1U));
  BOOST_TEST(test::entries_below(base) > 2U);
  const auto began = std::chrono::steady_clock::now();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (const int machine : machines)
    BOOST_TEST(test::eventually([&] { return ::kill(machine, 0) != 0; }));
  const auto gone = std::chrono::steady_clock::now() - began;
  BOOST_TEST_MESSAGE("the machine was gone after "
                     << std::chrono::duration_cast<std::chrono::milliseconds>(gone).count()
                     << " ms");
  // The files go at the next start.
  {
    RuntimeOptions options;
    options.runtime_dir = base;
    const Runtime next(options);
    BOOST_TEST(test::entries_below(base) <= kShared + 2);  // the new one's own directory and lock
  }
  BOOST_TEST(test::entries_below(base) == kShared);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
  fs::remove_all(base);
}

BOOST_AUTO_TEST_CASE(of_fifty_vms_made_and_dropped) {
  const auto base = fs::temp_directory_path() / "capsa-fifty";
  fs::remove_all(base);
  RuntimeOptions options;
  options.runtime_dir = base;
  Runtime own(options);
  const auto round = [&](int count) {
    std::vector<VmHandle> vms;
    for (int i = 0; i < count; ++i)
      vms.push_back(test::guest_vm(own)
                        .memory_mb(128)
                        .console_enabled()
                        .agent_enabled()
                        .share("/usr", "usr")
                        .vsock_listen(1024)
                        .build()
                        .get());
    std::vector<future<void>> starting;
    for (const auto& vm : vms)
      starting.push_back(vm.start());
    for (auto& start : starting)
      start.get();
    BOOST_TEST(test::machines_here() == static_cast<std::size_t>(count));
    vms.clear();
    return test::eventually([&] { return own.live_vms() == 0; }) &&
           test::eventually([] { return test::host_state().children == 0; });
  };
  // The first round makes what is kept on purpose: thread stacks, caches of the allocator.
  BOOST_TEST(round(5));
  const auto before = test::host_state();
  const auto files = test::entries_below(base);
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(round(5));
  BOOST_TEST(test::eventually([&] { return test::host_state().fds <= before.fds; }));
  const auto after = test::host_state();
  BOOST_TEST(after.fds == before.fds);
  BOOST_TEST(after.threads == before.threads);
  BOOST_TEST(after.children == 0U);
  BOOST_TEST(test::entries_below(base) == files);
  BOOST_TEST_MESSAGE("resident: " << before.resident_kib << " KiB before, " << after.resident_kib
                                  << " KiB after 50 VMs");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr std::uint64_t kMayGrow = 64 << 10;  // freed memory is kept a while
#else
  constexpr std::uint64_t kMayGrow = 4 << 10;
#endif
  BOOST_TEST(after.resident_kib < before.resident_kib + kMayGrow);
  own.shutdown();
  BOOST_TEST(test::entries_below(base) == kShared);
  fs::remove_all(base);
}

BOOST_AUTO_TEST_CASE(of_the_memory_that_a_guest_filled) {
  auto vm = test::guest_vm(test::runtime()).memory_mb(512).agent_enabled().build().get();
  vm.start().get();
  const auto filled = vm.agent().get().exec("dd if=/dev/zero of=/tmp/filled bs=1M count=150").get();
  BOOST_TEST(filled.status.code == 0, filled.stderr_data);
  const auto before = test::host_state().resident_kib;
  vm.kill().get();
  // Under QEMU it was never this process's.
  if (!test::on_kvm()) return;
  BOOST_TEST(
      test::eventually([&] { return test::host_state().resident_kib + (150 << 10) < before; }));
}

BOOST_AUTO_TEST_SUITE_END()
