#include <boost/test/unit_test.hpp>
#include <fstream>
#include <mutex>
#include <sstream>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/host_state.hpp>

using namespace capsa;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A line "NAME:\tVALUE" of /proc/self/task/TID/status for every thread of this name.
std::vector<std::string> of_threads(const std::string& name, const std::string& line) {
  std::vector<std::string> found;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream comm(task.path() / "comm");
    std::string its_name;
    std::getline(comm, its_name);
    if (its_name != name) continue;
    std::ifstream status(task.path() / "status");
    for (std::string text; std::getline(status, text);)
      if (text.starts_with(line + ":\t")) found.push_back(text.substr(line.size() + 2));
  }
  return found;
}

/// KiB of guest memory that the host holds for the machines of this program: mappings that are
/// neither inherited nor dumped, in huge pages (proc(5): VmFlags), are nobody else's.
std::size_t guest_memory_kib() {
  std::ifstream maps("/proc/self/smaps");
  std::size_t kib = 0;
  std::size_t total = 0;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::string key;
    fields >> key;
    if (key == "Rss:") fields >> kib;
    if (key == "VmFlags:" && line.find(" dc ") != std::string::npos &&
        line.find(" dd ") != std::string::npos && line.find(" hg") != std::string::npos)
      total += kib;
  }
  return total;
}

/// The cause that a VM's last change of status was given with.
class LastCause {
 public:
  explicit LastCause(const VmHandle& vm)
      : subscription_(vm.subscribe([this](const VmEvent& event) {
          const std::lock_guard lock(mutex_);
          if (event.kind == VmEvent::Kind::StatusChanged) cause_ = event.cause;
        })) {}
  bool becomes(const std::string& words) {
    return test::eventually([&] {
      const std::lock_guard lock(mutex_);
      return cause_.find(words) != std::string::npos;
    });
  }

 private:
  std::mutex mutex_;
  std::string cause_;
  Subscription subscription_;
};

VmHandle started(VmBuilder builder) {
  auto vm = std::move(builder).agent_enabled().build().get();
  vm.start().get();
  return vm;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_machine_of_our_own)

BOOST_AUTO_TEST_CASE(runs_confined_vcpus_that_can_be_counted_and_paused_one_by_one) {
  auto vm = started(test::guest_vm(test::runtime()).cpus(2));
  auto agent = vm.agent().get();
  const auto filtered = of_threads("capsa-vcpu0", "Seccomp");
  BOOST_TEST_REQUIRE(filtered.size() == 1U);
  BOOST_TEST(filtered[0] == "2");  // SECCOMP_MODE_FILTER, proc(5)
  BOOST_TEST(of_threads("capsa-vcpu1", "Seccomp").size() == 1U);

  const auto vcpus = vm.vcpus().get();
  BOOST_TEST_REQUIRE(vcpus.size() == 2U);
  const auto before = vcpus[0].stats().get();
  BOOST_TEST_REQUIRE(before.exits.has_value());
  BOOST_TEST(before.exits->memory > 0U);
  BOOST_TEST(before.exits->shutdown == 0U);

  // Both are busy, one of them is paused: it stands, and the other goes on.
  auto busy = agent.exec("for i in 1 2; do (while :; do :; done) & done; sleep 5; kill $(jobs -p)");
  const auto used = [&](unsigned index) {
    const auto stats = vcpus[index].stats().get();
    return stats.user + stats.system;
  };
  const auto grows = [&](unsigned index) {
    return test::eventually([&, from = used(index)] { return used(index) > from + 200ms; });
  };
  BOOST_TEST(grows(1));
  vcpus[1].pause().get();
  const auto paused = used(1);
  BOOST_TEST(grows(0));
  BOOST_TEST((used(1) < paused + 50ms));  // what it had used is told in steps, and late
  vcpus[1].resume().get();
  BOOST_TEST(grows(1));
  busy.get();
}

BOOST_AUTO_TEST_CASE(tells_how_its_guest_ended) {
  const struct {
    const char* command;
    const char* words;
  } kEnds[] = {{"echo o > /proc/sysrq-trigger", "powered off"},
               {"echo b > /proc/sysrq-trigger", "asked for a reset"}};
  for (const auto& [command, words] : kEnds) {
    // A kernel without ACPI has no way to power off.
    if (std::string_view(words) == "powered off" && !test::guest().acpi) continue;
    auto vm = started(test::guest_vm(test::runtime()));
    LastCause cause(vm);
    (void)vm.agent().get().exec(command).result();
    BOOST_TEST((vm.wait().get() == std::optional<int>(0)));
    BOOST_TEST(cause.becomes(words), words);
  }
  // By a triple fault only where the guest was told to reset in another way is it a crash; here the
  // command line names it.
  auto vm = started(test::guest_vm(test::runtime()).cmdline_arg("reboot", "t"));
  (void)vm.agent().get().exec("echo b > /proc/sysrq-trigger").result();
  BOOST_TEST((vm.wait().get() == std::optional<int>(0)));
}

BOOST_AUTO_TEST_CASE(has_a_power_button_where_it_has_acpi) {
  auto vm = test::guest_vm(test::runtime()).build().get();
  vm.start().get();
  if (!test::guest().acpi) {
    // No button and no agent: nothing to wait for.
    vm.stop_with_timeout(20s).get();
    BOOST_TEST(vm.status() == VmStatus::stopped(std::nullopt));
    return;
  }
  const auto began = std::chrono::steady_clock::now();
  LastCause cause(vm);
  vm.stop_with_timeout(120s).get();
  BOOST_TEST((std::chrono::steady_clock::now() - began < 100s));
  BOOST_TEST(cause.becomes("powered off"));
  BOOST_TEST(vm.status() == VmStatus::stopped(0));
}

BOOST_AUTO_TEST_CASE(gets_the_free_pages_of_its_guest_back) {
  auto vm = started(test::guest_vm(test::runtime()).memory_mb(512));
  auto agent = vm.agent().get();
  const auto reporting = agent.exec("ls /sys/bus/virtio/drivers/virtio_balloon").get();
  if (reporting.status.shell_status() != 0) {
    BOOST_TEST_MESSAGE("skipped: this guest's kernel has no balloon driver loaded");
    return;
  }
  agent
      .exec(
          "mkdir -p /fill && mount -t tmpfs none /fill && "
          "dd if=/dev/zero of=/fill/file bs=1M count=200 2>/dev/null")
      .get();
  const auto full = guest_memory_kib();
  BOOST_TEST(full > 200U * 1024);
  agent.exec("rm /fill/file").get();
  // The guest reports what has been free for two seconds.
  BOOST_TEST(test::eventually([&] { return guest_memory_kib() < full - 150 * 1024; }));
  // And has it again when it asks.
  BOOST_TEST(agent
                 .exec("dd if=/dev/zero of=/fill/file bs=1M count=200 2>/dev/null && "
                       "tr -d '\\0' < /fill/file | wc -c")
                 .get()
                 .stdout_data == "0\n");
}

BOOST_AUTO_TEST_CASE(is_refused_with_a_reason_where_it_cannot_be_had) {
  const auto refused = [](VmBuilder builder) {
    const auto vm = std::move(builder).build().result();
    return vm.ok() ? std::optional<ErrorCode>() : vm.error().code();
  };
  auto builder = [] { return test::guest_vm(test::runtime()).backend(Backend::Kvm); };
  BOOST_TEST(refused(builder().accelerator(Accelerator::Tcg)) == ErrorCode::InvalidConfig);
  BOOST_TEST(refused(builder().memory_mb(65 * 1024)) == ErrorCode::InvalidConfig);
}

BOOST_AUTO_TEST_SUITE_END()
