// QEMU itself, with guests of a few bytes.
#include <dirent.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <backends/qemu/machine.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <tests/support/scratch_dir.hpp>
#include <tests/support/test_loop.hpp>
#include <tests/support/tiny_kernel.hpp>

using capsa::ErrorCode;
using capsa::result;
using capsa::UniqueFd;
using capsa::hypervisor::EndCause;
using capsa::hypervisor::MachineEnd;
using capsa::hypervisor::MachineEvents;
using capsa::hypervisor::MachineSpec;
using capsa::hypervisor::VcpuInfo;
using capsa::tests::ScratchDir;
using capsa::tests::TestLoop;
using namespace capsa::qemu;
namespace tiny_kernel = capsa::tests::tiny_kernel;
using std::chrono::steady_clock;

namespace {

const QemuInfo& qemu() {
  static const auto found = find_qemu();
  if (!found) {
    std::fprintf(stderr, "skipped: %s\n", found.error().what());
    std::_Exit(77);
  }
  return *found;
}

std::ptrdiff_t open_fds() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

struct Guest {
  ScratchDir scratch;
  TestLoop loop;
  Spawner spawner;
  std::unique_ptr<QemuMachine> machine;
  UniqueFd serial;
  std::vector<VcpuInfo> vcpus;
  std::optional<MachineEnd> end;
  pid_t pid = 0;

  ~Guest() { machine.reset(); }

  MachineSpec spec(const std::string& image) const {
    MachineSpec made;
    made.name = "tiny, with a comma";
    made.kernel = scratch.file("kernel", image);
    made.memory_mb = 64;
    made.runtime_dir = scratch.path();
    return made;
  }
  void start(MachineSpec with) {
    std::array<int, 2> pair{};
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
    serial.reset(pair[0]);
    const UniqueFd theirs(pair[1]);
    with.serial_fd = theirs.get();
    MachineOptions options;
    options.accelerator = Accelerator::Tcg;
    machine = std::make_unique<QemuMachine>(loop, spawner, qemu(), with, options);
    MachineEvents events;
    events.running = [this](std::vector<VcpuInfo> now) { vcpus = std::move(now); };
    events.ended = [this](MachineEnd with_end) { end = std::move(with_end); };
    const auto started = machine->start(std::move(events));
    BOOST_TEST_REQUIRE(started.ok(), (started.ok() ? "" : started.error().what()));
  }
  // Waits for the byte that the guest writes first.
  char first_byte() {
    char byte = 0;
    loop.watch(serial.get(), EPOLLIN, [&](std::uint32_t) {
      if (::read(serial.get(), &byte, 1) != 1) byte = '?';
      loop.rearm(serial.get(), 0);
    });
    loop.run_until([&] { return byte != 0 || end; });
    loop.unwatch(serial.get());
    if (byte == 0) [[maybe_unused]]
      const auto got = ::recv(serial.get(), &byte, 1, MSG_DONTWAIT);
    return byte;
  }
  void wait_running() {
    BOOST_TEST_REQUIRE(loop.run_until([this] { return !vcpus.empty() || end; }));
    BOOST_TEST_REQUIRE(!end.has_value());
    std::ifstream(scratch.path() / "qemu.pid") >> pid;
  }
  void wait_end(EndCause cause) {
    BOOST_TEST_REQUIRE(loop.run_until([this] { return end.has_value(); }));
    BOOST_TEST((end->cause == cause), end->message);
    BOOST_TEST(!std::filesystem::exists(scratch.path() / "qemu.pid"));
    // Reaped: there is no child left to wait for.
    BOOST_TEST(::waitpid(-1, nullptr, WNOHANG) == -1);
  }
  std::chrono::nanoseconds cpu_time(unsigned index) const {
    const auto stats = machine->vcpu_stats(index);
    return stats.ok() ? stats->user + stats->system : std::chrono::nanoseconds(-1);
  }
  // For what no event tells: counters of the host's kernel.
  template <class Predicate>
  bool grows_until(Predicate done) {
    const auto deadline = steady_clock::now() + std::chrono::seconds(20);
    while (!done() && steady_clock::now() < deadline)
      loop.run_until([] { return false; }, std::chrono::milliseconds(10));
    return done();
  }
  bool finish(void (QemuMachine::*request)(capsa::hypervisor::Completion<void>)) {
    std::optional<bool> answered;
    ((*machine).*request)([&](const result<void>& outcome) { answered = outcome.ok(); });
    return loop.run_until([&] { return answered.has_value(); }) && *answered;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(machine, Guest)

BOOST_AUTO_TEST_CASE(a_guest_runs_and_its_vcpus_are_told) {
  auto two = spec(tiny_kernel::idle());
  two.cpus = 2;
  start(two);
  BOOST_TEST(first_byte() == 'I');
  wait_running();
  BOOST_TEST_REQUIRE(vcpus.size() == 2u);
  BOOST_TEST(vcpus[0].index == 0u);
  BOOST_TEST(vcpus[1].index == 1u);
  BOOST_TEST(pid > 0);
  for (const auto& vcpu : vcpus)
    BOOST_TEST(std::filesystem::exists("/proc/" + std::to_string(pid) + "/task/" +
                                       std::to_string(vcpu.thread_id)));
}

BOOST_AUTO_TEST_CASE(a_reset_ends_the_machine) {
  start(spec(tiny_kernel::reset()));
  BOOST_TEST(first_byte() == 'R');
  wait_end(EndCause::Reset);
}

BOOST_AUTO_TEST_CASE(a_reset_ends_a_machine_without_acpi) {
  auto without = spec(tiny_kernel::reset());
  without.acpi = false;
  start(without);
  BOOST_TEST(first_byte() == 'R');
  wait_end(EndCause::Reset);
}

BOOST_AUTO_TEST_CASE(a_power_off_ends_the_machine) {
  start(spec(tiny_kernel::power_off()));
  BOOST_TEST(first_byte() == 'P');
  wait_end(EndCause::PowerOff);
}

BOOST_AUTO_TEST_CASE(a_panic_ends_the_machine) {
  start(spec(tiny_kernel::panic()));
  BOOST_TEST(first_byte() == '!');
  wait_end(EndCause::Panic);
}

BOOST_AUTO_TEST_CASE(a_guest_that_ends_at_once_is_told_every_time) {
  // How it ended may be told before or after the control connection is up.
  for (int round = 0; round < 10; ++round) {
    end.reset();
    vcpus.clear();
    start(spec(tiny_kernel::power_off()));
    BOOST_TEST_REQUIRE(loop.run_until([this] { return end.has_value(); }));
    BOOST_TEST((end->cause == EndCause::PowerOff), end->message);
  }
}

BOOST_AUTO_TEST_CASE(a_kill_ends_a_spinning_guest_within_a_second) {
  start(spec(tiny_kernel::spin()));
  wait_running();
  const auto before = steady_clock::now();
  machine->kill();
  wait_end(EndCause::Killed);
  const auto took = steady_clock::now() - before;
  BOOST_TEST(took < std::chrono::seconds(1));
  BOOST_TEST_MESSAGE(
      "kill took " << std::chrono::duration_cast<std::chrono::microseconds>(took).count() << " us");
  BOOST_TEST((machine->vcpu_stats(0).error().code() == ErrorCode::NotRunning));
}

BOOST_AUTO_TEST_CASE(a_spinning_guests_time_grows_and_a_paused_ones_does_not) {
  start(spec(tiny_kernel::spin()));
  wait_running();
  const auto start_time = cpu_time(0);
  BOOST_TEST(
      grows_until([&] { return cpu_time(0) >= start_time + std::chrono::milliseconds(50); }));
  BOOST_TEST(finish(&QemuMachine::pause));
  const auto paused_at = cpu_time(0);
  loop.run_until([] { return false; }, std::chrono::milliseconds(200));
  BOOST_TEST((cpu_time(0) == paused_at));
  BOOST_TEST(finish(&QemuMachine::resume));
  BOOST_TEST(grows_until([&] { return cpu_time(0) > paused_at; }));
  BOOST_TEST((machine->vcpu_stats(1).error().code() == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_vcpu_is_pinned) {
  start(spec(tiny_kernel::idle()));
  BOOST_TEST((machine->pin_vcpu(0, {0}).error().code() == ErrorCode::NotRunning));
  wait_running();
  const auto pinned = machine->pin_vcpu(0, {0});
  BOOST_TEST(pinned.ok());
  cpu_set_t set;
  CPU_ZERO(&set);
  BOOST_TEST(::sched_getaffinity(static_cast<pid_t>(vcpus[0].thread_id), sizeof set, &set) == 0);
  BOOST_TEST(CPU_COUNT(&set) == 1);
  BOOST_TEST(CPU_ISSET(0, &set));
}

BOOST_AUTO_TEST_CASE(the_power_button_is_pressed) {
  start(spec(tiny_kernel::idle()));
  wait_running();
  BOOST_TEST(finish(&QemuMachine::power_button));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_kernel_is_refused_in_qemus_words) {
  start(spec(std::string(4096, 'x')));
  wait_end(EndCause::Failed);
  BOOST_TEST(end->message.find("QEMU: ") == 0u, end->message);
  BOOST_TEST_MESSAGE(end->message);
}

BOOST_AUTO_TEST_CASE(memory_that_cannot_be_had_is_refused_in_qemus_words) {
  auto huge = spec(tiny_kernel::idle());
  huge.memory_mb = std::uint64_t{1} << 40;
  start(huge);
  wait_end(EndCause::Failed);
  BOOST_TEST(end->message.find("memory") != std::string::npos, end->message);
  BOOST_TEST_MESSAGE(end->message);
}

BOOST_AUTO_TEST_CASE(a_death_from_outside_is_a_failure) {
  start(spec(tiny_kernel::spin()));
  wait_running();
  ::kill(pid, SIGKILL);
  wait_end(EndCause::Failed);
  BOOST_TEST(end->message.find("killed by signal 9") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_termination_from_outside_is_a_failure) {
  start(spec(tiny_kernel::spin()));
  wait_running();
  ::kill(pid, SIGTERM);
  wait_end(EndCause::Failed);
  BOOST_TEST(end->message.find("signal from outside") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_console_is_connected) {
  std::array<int, 2> pair{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
  const UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  auto with = spec(tiny_kernel::idle());
  with.console_fd = theirs.get();
  start(with);
  theirs.reset();  // borrowed only until start() returned
  wait_running();
  machine->kill();
  wait_end(EndCause::Killed);
  char byte = 0;
  BOOST_TEST(::recv(ours.get(), &byte, 1, MSG_DONTWAIT) == 0);  // nobody holds the other end
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(nothing_is_left_when_machines_are_dropped) {
  qemu();
  const auto fds = open_fds();
  {
    Guest one;
    one.start(one.spec(tiny_kernel::spin()));
    one.wait_running();
    Guest two;
    two.start(two.spec(tiny_kernel::idle()));  // dropped while it starts
    const auto before = steady_clock::now();
    one.machine.reset();
    two.machine.reset();
    BOOST_TEST((steady_clock::now() - before < std::chrono::milliseconds(100)));
  }
  BOOST_TEST(::waitpid(-1, nullptr, WNOHANG) == -1);
  BOOST_TEST(open_fds() == fds);
}
