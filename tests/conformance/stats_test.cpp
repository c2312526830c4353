#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <mutex>
#include <sstream>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/support/scratch_dir.hpp>

using namespace capsa;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kMib = 1U << 20;

/// The lines of a runtime's log, with the VM that each names.
class LogLines {
 public:
  void add(const LogRecord& record) {
    const std::lock_guard lock(mutex_);
    lines_.push_back({std::string(record.component), std::string(record.event),
                      std::string(record.vm), record.message});
  }
  struct Line {
    std::string component, event, vm, message;
  };
  std::vector<Line> all() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Line> lines_;
};

/// A sandbox that has one of everything, on a runtime of its own.
struct Busy {
  tests::ScratchDir dir;
  std::filesystem::path image = dir.file("disk.img", test::random_bytes(16 * kMib, 41));
  std::filesystem::path shared = dir.file("shared", "to be read");
  LogLines log;
  Runtime runtime;
  VmHandle vm;
  AgentClient agent;

  Busy() : runtime(make_runtime()), vm(make()), agent(vm.agent().get()) {}
  Runtime make_runtime() {
    RuntimeOptions options;
    options.log_level = LogLevel::Info;
    options.log = [this](const LogRecord& record) { log.add(record); };
    return Runtime(options);
  }
  VmHandle make() const {
    return runtime.sandbox()
        .guest(test::guest())
        .name("the \"busy\" one")
        .cpus(2)
        .disk(image)
        .share(dir.path(), "/mnt/share")
        .network(NetworkMode::user_nat().build())
        .run("sleep", {"infinity"})
        .build()
        .get();
  }
  VmStats stats() const { return vm.stats().get(); }
  void run(const std::string& line) const {
    const auto out = agent.exec(line).get();
    BOOST_TEST(out.status.code == 0, line << ": " << out.stderr_data);
  }
};

Busy& busy() {
  test::guest();
  static Busy instance;
  return instance;
}

/// The series of a scrape and their values.
std::map<std::string, double> series_of(const std::string& text) {
  std::map<std::string, double> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) continue;
    const auto blank = line.rfind(' ');
    BOOST_TEST_REQUIRE(blank != std::string::npos, line);
    BOOST_TEST(out.emplace(line.substr(0, blank), std::stod(line.substr(blank + 1))).second, line);
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(the_stats_of_a_vm)

BOOST_AUTO_TEST_CASE(count_what_its_disk_has_done) {
  const auto before = busy().stats();
  BOOST_TEST_REQUIRE(before.disks.size() == 1U);
  BOOST_TEST(before.disks[0].device == "/dev/vda");
  BOOST_TEST(before.disks[0].size_bytes == 16 * kMib);
  busy().run("dd if=/dev/vda of=/dev/null bs=1M count=8");
  const auto read = busy().stats().disks[0];
  BOOST_TEST(read.read_bytes - before.disks[0].read_bytes >= 8 * kMib);
  BOOST_TEST(read.reads > before.disks[0].reads);
  BOOST_TEST(read.written_bytes == before.disks[0].written_bytes);
  busy().run("dd if=/dev/zero of=/dev/vda bs=1M count=4 conv=fsync,notrunc");
  const auto written = busy().stats().disks[0];
  BOOST_TEST(written.written_bytes - read.written_bytes >= 4 * kMib);
  BOOST_TEST(written.writes > read.writes);
  BOOST_TEST(written.flushes > read.flushes);
}

BOOST_AUTO_TEST_CASE(tell_the_memory_that_the_guest_has_touched) {
  const auto before = busy().stats();
  BOOST_TEST(before.memory_bytes == busy().vm.resources().memory_mb * kMib);
  BOOST_TEST(before.resident_memory_bytes > 16 * kMib);  // the kernel and its initrd, at least
  // Its caches would count as they were: all of it is new.
  busy().run("dd if=/dev/urandom of=/tmp/filler bs=1M count=96");
  const auto after = busy().stats();
  BOOST_TEST(after.resident_memory_bytes >= before.resident_memory_bytes + 32 * kMib);
  BOOST_TEST(after.resident_memory_bytes <= after.memory_bytes);
  busy().run("rm /tmp/filler");
}

BOOST_AUTO_TEST_CASE(tell_time_and_what_the_cpus_took_of_it) {
  const auto before = busy().stats();
  BOOST_TEST(before.uptime.count() > 0);
  BOOST_TEST(before.cpu_time.count() > 0);
  busy().run("dd if=/dev/zero bs=1M count=32 | sha256sum");
  const auto after = busy().stats();
  BOOST_TEST((after.uptime > before.uptime));
  BOOST_TEST((after.cpu_time > before.cpu_time));
  // Two CPUs, and the steps in which their time is counted.
  BOOST_TEST((after.cpu_time - before.cpu_time <= 2 * (after.uptime - before.uptime) + 100ms));
  std::chrono::nanoseconds sum{0};
  for (const auto& vcpu : busy().vm.vcpus().get()) {
    const auto one = vcpu.stats().get();
    sum += one.user + one.system;
  }
  BOOST_TEST((sum >= after.cpu_time));
}

BOOST_AUTO_TEST_CASE(count_what_its_share_and_its_network_have_done) {
  const auto before = busy().stats();
  BOOST_TEST_REQUIRE(before.network.has_value());
  busy().run("cat /mnt/share/shared && ping -c 2 10.0.2.2");
  const auto after = busy().stats();
  BOOST_TEST(after.share_requests > before.share_requests);
  BOOST_TEST(after.network->sent_frames >= before.network->sent_frames + 2);
  BOOST_TEST(after.network->received_frames >= before.network->received_frames + 2);
  BOOST_TEST(after.network->sent_bytes > before.network->sent_bytes);
}

BOOST_AUTO_TEST_CASE(are_told_while_it_runs_and_not_otherwise) {
  const auto idle =
      busy().runtime.vm({test::guest().kernel, test::guest().initrd}).name("idle").build().get();
  BOOST_TEST(test::code_of(idle.stats()) == ErrorCode::NotRunning);
  const auto text = busy().runtime.metrics().get();
  BOOST_TEST(text.find("capsa_vm_status{vm=\"idle\"") != std::string::npos, text);
  BOOST_TEST(text.find("capsa_vm_memory_bytes{vm=\"idle\"") == std::string::npos, text);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(the_metrics_of_a_runtime)

BOOST_AUTO_TEST_CASE(name_the_vm_with_the_numbers_of_its_stats) {
  const auto before = busy().stats();
  const auto text = busy().runtime.metrics().get();
  const auto after = busy().stats();
  const auto series = series_of(text);
  const std::string who = R"({vm="the \"busy\" one",id="1")";
  const auto value = [&](const std::string& name, const std::string& rest = "") {
    const auto found = series.find(name + who + rest + "}");
    BOOST_TEST_REQUIRE((found != series.end()), name << rest << " in " << text);
    return found->second;
  };
  const auto between = [](double low, double number, double high) {
    BOOST_TEST(low <= number);
    BOOST_TEST(number <= high);
  };
  const auto seconds = [](std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
  };
  BOOST_TEST(value("capsa_vm_status", ",status=\"running\"") == 1);
  between(seconds(before.uptime), value("capsa_vm_uptime_seconds"), seconds(after.uptime));
  between(seconds(before.cpu_time), value("capsa_vm_cpu_seconds_total"), seconds(after.cpu_time));
  BOOST_TEST(value("capsa_vm_memory_bytes") == static_cast<double>(before.memory_bytes));
  BOOST_TEST(value("capsa_vm_memory_resident_bytes") > 16.0 * kMib);
  BOOST_TEST(value("capsa_vm_disk_size_bytes", ",device=\"/dev/vda\"") == 16.0 * kMib);
  between(static_cast<double>(before.disks[0].read_bytes),
          value("capsa_vm_disk_read_bytes_total", ",device=\"/dev/vda\""),
          static_cast<double>(after.disks[0].read_bytes));
  between(static_cast<double>(before.network->sent_frames),
          value("capsa_vm_network_sent_frames_total"),
          static_cast<double>(after.network->sent_frames));
  BOOST_TEST(series.at("capsa_vms{status=\"running\"}") == 1);
  BOOST_TEST(series.at("capsa_vm_scrape_failures") == 0);
  BOOST_TEST(series.at("capsa_boots_total") == 1);
  BOOST_TEST(series.at("capsa_failures_total") == 0);
  BOOST_TEST(series.at("capsa_io_loops") == 1);
}

BOOST_AUTO_TEST_CASE(are_there_without_a_vm_and_gone_with_the_runtime) {
  Runtime empty;
  const auto series = series_of(empty.metrics().get());
  BOOST_TEST(series.at("capsa_vms{status=\"running\"}") == 0);
  BOOST_TEST(series.at("capsa_boots_total") == 0);
  empty.shutdown();
  BOOST_TEST(test::code_of(empty.metrics()) == ErrorCode::RuntimeShutdown);
}

BOOST_AUTO_TEST_CASE(count_a_vm_that_failed) {
  Runtime own;
  const tests::ScratchDir dir;
  const auto vm = own.vm({test::guest().kernel, test::guest().initrd})
                      .name("broken")
                      .disk(dir.file("broken.qcow2", "no image"))
                      .build()
                      .get();
  BOOST_TEST(test::code_of(vm.start()) == ErrorCode::InvalidConfig);
  const auto series = series_of(own.metrics().get());
  BOOST_TEST(series.at("capsa_failures_total") == 1);
  BOOST_TEST(series.at("capsa_boots_total") == 0);
  BOOST_TEST(series.at("capsa_vm_status{vm=\"broken\",id=\"1\",status=\"failed\"}") == 1);
}

BOOST_AUTO_TEST_CASE(and_its_log_name_the_vm_of_every_line_that_is_about_one) {
  const auto lines = busy().log.all();
  const auto of_vm = [](const LogLines::Line& line) { return line.component == "vm"; };
  BOOST_TEST(std::count_if(lines.begin(), lines.end(), of_vm) >= 2);
  for (const auto& line : lines) {
    BOOST_TEST(line.event.starts_with(line.component + "."), line.event);
    if (line.component == "runtime") continue;
    BOOST_TEST((line.vm == busy().vm.name() || line.vm == "idle"), line.event << line.message);
    BOOST_TEST(line.message.find(line.vm) == std::string::npos, line.message);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(a_kernel_command_line)

// Where devices are told on the line, the machine adds to it.
BOOST_AUTO_TEST_CASE(of_the_longest_length_reaches_the_guest_and_a_longer_one_is_refused) {
  constexpr std::string_view kSays = "it has ";
  const auto with = [](std::size_t pad) {
    return test::guest_vm(test::runtime())
        .agent_enabled()
        .cmdline_arg("capsa.pad", std::string(pad, 'x'));
  };
  // First what is written here is too long by itself, then with what the machine adds.
  std::size_t most = KernelCommandLine::kMaxLength;
  for (int round = 0; round < 2; ++round) {
    const auto refused = with(most).build().result();
    if (refused.ok()) break;
    BOOST_TEST(refused.error().code() == ErrorCode::InvalidConfig, refused.error().what());
    const auto& message = refused.error().message();
    const auto at = message.find(kSays);
    BOOST_TEST_REQUIRE(at != std::string::npos, message);
    most -= std::stoul(message.substr(at + kSays.size())) - KernelCommandLine::kMaxLength;
  }
  BOOST_TEST_REQUIRE(most < KernelCommandLine::kMaxLength);
  BOOST_TEST(test::code_of(with(most + 1).build()) == ErrorCode::InvalidConfig);
  if (!test::guest().acpi) return;
  const auto vm = with(most).build().get();
  vm.start().get();
  auto line = vm.agent().get().exec("cat /proc/cmdline").get().stdout_data;
  BOOST_TEST_REQUIRE(line.ends_with('\n'));
  const auto parsed = KernelCommandLine::parse(line);
  BOOST_TEST_REQUIRE(parsed.ok(), line);
  line.pop_back();
  BOOST_TEST(line.size() == KernelCommandLine::kMaxLength);
  BOOST_TEST(line.find(" capsa.pad=" + std::string(most, 'x')) != std::string::npos);
  BOOST_TEST(to_string(*parsed).find("capsa.pad=" + std::string(most, 'x')) != std::string::npos);
  vm.kill().get();
}

BOOST_AUTO_TEST_SUITE_END()
