#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <tests/conformance/agent_guest.hpp>

using namespace capsa;
using namespace std::chrono_literals;

namespace {

/// A guest that has some of everything that an agent tells.
struct Furnished {
  std::filesystem::path dir = std::filesystem::temp_directory_path() / "capsa-agent-info-test";
  std::optional<VmHandle> vm;
  std::optional<AgentClient> agent;

  Furnished() {
    std::filesystem::create_directories(dir);
    make_image("a.img", 8);
    make_image("b.img", 24);
    vm = test::sandbox()
             .name("furnished")
             .cpus(2)
             .memory_mb(384)
             .disk(DiskImage(dir / "a.img").with_serial("first"))
             .disk(DiskImage(dir / "b.img").with_serial("second").read_only())
             .network(NetworkMode::user_nat().build())
             .run("sleep", {"infinity"})
             .build()
             .get();
    vm->main_process().get();
    agent = vm->agent().get();
  }
  ~Furnished() {
    vm->kill().get();
    std::filesystem::remove_all(dir);
  }
  void make_image(const std::string& name, std::uint64_t mib) const {
    std::ofstream(dir / name).close();
    std::filesystem::resize_file(dir / name, mib << 20);
  }
  std::string say(const std::string& line) const {
    auto out = agent->exec(line).get().stdout_data;
    if (out.ends_with('\n')) out.pop_back();
    return out;
  }
  /// By the program ip(8): "eth0 10.0.2.15/24", sorted.
  std::vector<std::string> addresses() const {
    std::vector<std::string> out;
    std::istringstream lines(say(
        "ip addr | awk '/^[0-9]+:/ {sub(\":\",\"\",$2); name=$2} $1 ~ /^inet/ {print name, $2}'"));
    for (std::string line; std::getline(lines, line);)
      out.push_back(line);
    std::sort(out.begin(), out.end());
    return out;
  }
  std::uint64_t number(const std::string& line) const { return std::stoull(say(line)); }
};

/// The sizes of two numbers, one of which moves.
bool near(std::uint64_t a, std::uint64_t b, std::uint64_t tolerance) {
  return std::max(a, b) - std::min(a, b) <= tolerance;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(the_agents_information)

BOOST_AUTO_TEST_CASE(is_what_the_guest_says_otherwise) {
  const Furnished guest;
  const auto before = guest.number("cut -d. -f1 /proc/uptime");
  const auto info = guest.agent->info().get();
  const auto after = guest.number("cut -d. -f1 /proc/uptime");

  BOOST_TEST(!info.agent_version.empty());
  BOOST_TEST(info.kernel_release == guest.say("uname -r"));
  BOOST_TEST(info.kernel_version == guest.say("uname -v"));
  BOOST_TEST(info.machine == guest.say("uname -m"));
  BOOST_TEST(info.hostname == guest.say("hostname"));
  BOOST_TEST(info.hostname == "furnished");
  BOOST_TEST(info.cpus == guest.number("grep -c ^processor /proc/cpuinfo"));
  BOOST_TEST(info.cpus == 2U);

  const auto memory = [&](const std::string& field) {
    return guest.number("grep ^" + field + ": /proc/meminfo | tr -dc 0-9") * 1024;
  };
  BOOST_TEST(info.memory_total_bytes == memory("MemTotal"));
  BOOST_TEST(info.memory_total_bytes < 384U << 20);
  BOOST_TEST(info.memory_total_bytes > 256U << 20);
  constexpr std::uint64_t kMoves = 16U << 20;
  BOOST_TEST(near(info.memory_free_bytes, memory("MemFree"), kMoves));
  BOOST_TEST(near(info.memory_available_bytes, memory("MemAvailable"), kMoves));

  const auto uptime = static_cast<std::uint64_t>(info.uptime.count()) / 1000;
  BOOST_TEST(uptime >= before);
  BOOST_TEST(uptime <= after);

  BOOST_TEST_REQUIRE(info.disks.size() == guest.number("ls /sys/block | grep -vcE '^(loop|ram)'"));
  BOOST_TEST_REQUIRE(info.disks.size() == 2U);
  const std::string serials[] = {"first", "second"};
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& disk = info.disks[i];
    BOOST_TEST(disk.name == std::string("vd") + static_cast<char>('a' + i));
    BOOST_TEST(disk.size_bytes == guest.number("cat /sys/block/" + disk.name + "/size") * 512);
    BOOST_TEST(disk.read_only == (guest.say("cat /sys/block/" + disk.name + "/ro") == "1"));
    BOOST_TEST(disk.read_only == (i == 1));
    BOOST_TEST(disk.serial == serials[i]);
    BOOST_TEST(disk.serial == guest.say("cat /sys/block/" + disk.name + "/serial"));
  }
  BOOST_TEST(info.disks[0].size_bytes == 8U << 20);
  BOOST_TEST(info.disks[1].size_bytes == 24U << 20);

  // A card gets its IPv6 addresses some time after its link: what counts is a moment of rest.
  std::vector<std::string> told;
  std::vector<std::string> asked;
  for (int tries = 0; tries < 50 && (tries == 0 || asked != guest.addresses()); ++tries) {
    asked = guest.addresses();
    told.clear();
    for (const auto& address : guest.agent->info().get().addresses)
      told.push_back(address.interface + " " + address.address + "/" +
                     std::to_string(address.prefix_len));
    std::sort(told.begin(), told.end());
  }
  BOOST_TEST(told == asked, boost::test_tools::per_element());
  BOOST_TEST((std::find(told.begin(), told.end(), "eth0 10.0.2.15/24") != told.end()));
}

BOOST_AUTO_TEST_SUITE_END()
