// What real QEMUs do rarely or never, said by a script that takes QEMU's place: its control
// connection is descriptor 3.
#include <backends/qemu/machine.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/support/scratch_dir.hpp>
#include <tests/support/test_loop.hpp>

using capsa::ErrorCode;
using capsa::result;
using capsa::hypervisor::EndCause;
using capsa::hypervisor::MachineEnd;
using capsa::hypervisor::MachineEvents;
using capsa::hypervisor::MachineSpec;
using capsa::hypervisor::VcpuInfo;
using capsa::tests::ScratchDir;
using capsa::tests::TestLoop;
using namespace capsa::qemu;

namespace {

// Greets, and answers the three commands of a start.
const std::string kStart =
    "echo '{\"QMP\":{\"version\":{}}}' >&3\n"
    "read -r a <&3; read -r b <&3; read -r c <&3\n"
    "echo '{\"return\":{},\"id\":0}' >&3\n"
    "echo '{\"return\":{},\"id\":1}' >&3\n"
    "echo \"{\\\"return\\\":[{\\\"cpu-index\\\":0,\\\"thread-id\\\":$$}],\\\"id\\\":2}\" >&3\n";

struct Fake {
  ScratchDir scratch;
  TestLoop loop;
  Spawner spawner;
  std::unique_ptr<QemuMachine> machine;
  std::vector<VcpuInfo> vcpus;
  std::optional<MachineEnd> end;

  MachineSpec spec() const {
    MachineSpec made;
    made.kernel = scratch.file("kernel", "k");
    made.runtime_dir = scratch.path();
    return made;
  }
  QemuInfo info(const std::string& script) const {
    return {scratch.file("qemu", "#!/bin/bash\n" + script, 0700), kOldestQemu, false, "none here"};
  }
  void start(const std::string& script) {
    machine = std::make_unique<QemuMachine>(loop, spawner, info(script), spec());
    MachineEvents events;
    events.running = [this](std::vector<VcpuInfo> now) { vcpus = std::move(now); };
    events.ended = [this](MachineEnd with) { end = std::move(with); };
    const auto started = machine->start(std::move(events));
    BOOST_TEST_REQUIRE(started.ok());
  }
  void wait_running() {
    BOOST_TEST_REQUIRE(loop.run_until([this] { return !vcpus.empty() || end; }));
    BOOST_TEST_REQUIRE(!end.has_value());
  }
  void wait_end(EndCause cause, const std::string& message) {
    BOOST_TEST_REQUIRE(loop.run_until([this] { return end.has_value(); }));
    BOOST_TEST((end->cause == cause), end->message);
    BOOST_TEST(end->message.find(message) != std::string::npos, end->message);
    BOOST_TEST(!std::filesystem::exists(scratch.path() / "qemu.pid"));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(machine_with_fake, Fake)

BOOST_AUTO_TEST_CASE(a_refusal_to_start_is_told_in_qemus_words) {
  start("echo 'qemu-system-x86_64: could not load kernel' >&2; exit 1");
  wait_end(EndCause::Failed, "QEMU: could not load kernel");
  BOOST_TEST(vcpus.empty());
}

BOOST_AUTO_TEST_CASE(a_qemu_that_cannot_be_run_is_a_failure) {
  machine = std::make_unique<QemuMachine>(
      loop, spawner, QemuInfo{"/nonexistent/qemu", kOldestQemu, false, ""}, spec());
  MachineEvents events;
  events.ended = [this](MachineEnd with) { end = std::move(with); };
  BOOST_TEST(machine->start(std::move(events)).ok());
  wait_end(EndCause::Failed, "No such file");
}

BOOST_AUTO_TEST_CASE(a_launcher_that_cannot_be_run_is_a_failure) {
  MachineOptions options;
  options.launcher = "/nonexistent/launcher";
  machine = std::make_unique<QemuMachine>(loop, spawner, info(""), spec(), options);
  MachineEvents events;
  events.ended = [this](MachineEnd with) { end = std::move(with); };
  BOOST_TEST(machine->start(std::move(events)).ok());
  wait_end(EndCause::Failed, "/nonexistent/launcher");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_started_is_refused_at_once) {
  auto bad = spec();
  bad.kernel = "/nonexistent/kernel";
  QemuMachine no_kernel(loop, spawner, info(""), bad);
  BOOST_TEST((no_kernel.start({}).error().code() == ErrorCode::NotFound));
  bad = spec();
  bad.cpus = 0;
  QemuMachine no_cpus(loop, spawner, info(""), bad);
  BOOST_TEST((no_cpus.start({}).error().code() == ErrorCode::InvalidConfig));
  MachineOptions options;
  options.accelerator = Accelerator::Kvm;
  QemuMachine no_kvm(loop, spawner, info(""), spec(), options);
  const auto refused = no_kvm.start({});
  BOOST_TEST((refused.error().code() == ErrorCode::BackendUnavailable));
  BOOST_TEST(refused.error().message() == "KVM cannot be used: none here");
}

BOOST_AUTO_TEST_CASE(malformed_qmp_ends_the_machine) {
  start("echo 'I am not QEMU' >&3; exec sleep 1000");
  wait_end(EndCause::Failed, "malformed QMP");
}

BOOST_AUTO_TEST_CASE(nonsense_about_vcpus_ends_the_machine) {
  for (const std::string reply : {"{}", "[]", "[1]", "[{\\\"cpu-index\\\":1,\\\"thread-id\\\":5}]",
                                  "[{\\\"cpu-index\\\":0,\\\"thread-id\\\":-5}]"}) {
    end.reset();
    start(
        "echo '{\"QMP\":{}}' >&3; read -r a <&3; read -r b <&3; read -r c <&3\n"
        "echo '{\"return\":{},\"id\":0}' >&3\n"
        "echo \"{\\\"return\\\":" +
        reply + ",\\\"id\\\":2}\" >&3; exec sleep 1000");
    wait_end(EndCause::Failed, "does not tell its vCPUs");
  }
}

BOOST_AUTO_TEST_CASE(a_guest_that_cannot_be_started_is_a_failure) {
  start(
      "echo '{\"QMP\":{}}' >&3; read -r a <&3; read -r b <&3\n"
      "echo '{\"return\":{},\"id\":0}' >&3\n"
      "echo '{\"error\":{\"desc\":\"not now\"},\"id\":1}' >&3; exec sleep 1000");
  wait_end(EndCause::Failed, "QEMU refused cont: not now");
}

BOOST_AUTO_TEST_CASE(a_guest_that_qemu_gave_up_on_is_a_failure) {
  start(kStart +
        "echo '{\"event\":\"STOP\"}' >&3; read -r d <&3\n"
        "echo '{\"return\":{\"status\":\"internal-error\"},\"id\":3}' >&3; exec sleep 1000");
  wait_end(EndCause::Failed, "internal-error");
}

BOOST_AUTO_TEST_CASE(a_storm_of_stops_is_asked_about_once) {
  start(kStart +
        "for i in {1..100}; do echo '{\"event\":\"STOP\"}' >&3; done; read -r d <&3\n"
        "read -r -t 0.3 e <&3 && { echo asked twice >&2; exit 1; }\n"
        "echo '{\"return\":{\"status\":\"paused\"},\"id\":3}' >&3\n"
        // Answered: the next one is asked about again.
        "echo '{\"event\":\"STOP\"}' >&3; read -r f <&3\n"
        "echo '{\"return\":{\"status\":\"internal-error\"},\"id\":4}' >&3; exec sleep 1000");
  wait_end(EndCause::Failed, "internal-error");
}

BOOST_AUTO_TEST_CASE(the_last_event_counts_even_if_qemu_is_gone_already) {
  start(kStart + "echo '{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"guest-shutdown\"}}' >&3");
  wait_end(EndCause::PowerOff, "");
}

BOOST_AUTO_TEST_CASE(a_death_by_signal_is_a_failure) {
  start(kStart + "kill -9 $$");
  wait_end(EndCause::Failed, "killed by signal 9");
}

BOOST_AUTO_TEST_CASE(pending_requests_are_answered_before_the_end) {
  start(kStart + "read -r d <&3; exit 1");
  wait_running();
  std::string order;
  machine->pause([&](const result<void>& paused) {
    BOOST_TEST((paused.error().code() == ErrorCode::VmEnded));
    BOOST_TEST(!end.has_value());
    order += 'p';
  });
  wait_end(EndCause::Failed, "exit status 1");
  BOOST_TEST(order == "p");
  machine->resume([&](const result<void>& resumed) {
    BOOST_TEST((resumed.error().code() == ErrorCode::NotRunning));
    order += 'r';
  });
  BOOST_TEST(order == "p");  // never from inside the call
  BOOST_TEST(loop.run_until([&] { return order == "pr"; }));
}

BOOST_AUTO_TEST_CASE(a_destroyed_machine_answers_its_requests_and_calls_no_event) {
  start(kStart + "exec sleep 1000");
  wait_running();
  bool answered = false;
  machine->pause([&](const result<void>& paused) { answered = !paused.ok(); });
  machine.reset();
  BOOST_TEST(loop.run_until([&] { return answered; }));
  loop.run_ready();
  BOOST_TEST(!end.has_value());
}

BOOST_AUTO_TEST_CASE(a_machine_killed_while_it_starts_ends_once) {
  start("exec sleep 1000");
  machine->kill();
  machine->kill();
  wait_end(EndCause::Killed, "");
}

BOOST_AUTO_TEST_CASE(a_machine_destroyed_while_it_starts_leaves_nothing) {
  start("exec sleep 1000");
  machine.reset();
  loop.run_until([] { return false; }, std::chrono::milliseconds(100));
  BOOST_TEST(!end.has_value());
  // Once it is reaped, which nobody waits for.
  BOOST_TEST(
      loop.run_until([this] { return !std::filesystem::exists(scratch.path() / "qemu.pid"); }));
}

BOOST_AUTO_TEST_CASE(a_machine_may_be_destroyed_by_its_own_events) {
  start(kStart + "exit 0");
  machine = std::make_unique<QemuMachine>(loop, spawner, info(kStart + "exit 0"), spec());
  MachineEvents events;
  events.ended = [this](MachineEnd with) {
    machine.reset();
    end = std::move(with);
  };
  BOOST_TEST(machine->start(std::move(events)).ok());
  BOOST_TEST(loop.run_until([this] { return end.has_value(); }));
}

BOOST_AUTO_TEST_CASE(a_machine_without_acpi_has_no_power_button) {
  auto without = spec();
  without.acpi = false;
  machine = std::make_unique<QemuMachine>(loop, spawner, info(kStart + "sleep 1000"), without);
  BOOST_TEST(machine->start({}).ok());
  std::optional<ErrorCode> refused;
  machine->power_button([&](const result<void>& pressed) { refused = pressed.error().code(); });
  BOOST_TEST(loop.run_until([&] { return refused.has_value(); }));
  BOOST_TEST((refused == ErrorCode::UnsupportedFeature));
  BOOST_TEST((machine->start({}).error().code() == ErrorCode::AlreadyRunning));
}

BOOST_AUTO_TEST_SUITE_END()
