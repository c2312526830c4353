#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstring>
#include <random>
#include <sstream>
#include <tests/conformance/disk_images.hpp>
#include <tests/conformance/host_state.hpp>
#include <tests/support/scratch_dir.hpp>
#include <thread>

using namespace capsa;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
namespace utf = boost::unit_test;

namespace {

constexpr std::uint64_t kMib = 16;  // small: most sectors are written several times
constexpr unsigned kWorkers = 2;    // on each disk
constexpr std::size_t kDisks = 2;
constexpr int kReports = 10;  // the first descriptor that the killed program reports at

/// What one disk's workers said of their flushes, as the killed program passed it on.
struct Reports {
  std::string text;
  std::size_t lines() const {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  /// The last round that this worker flushed; 0 where it told of none.
  std::uint64_t last_round(unsigned worker) const {
    std::istringstream in(text.substr(0, text.rfind('\n') + 1));
    std::uint64_t last = 0;
    for (std::uint64_t who = 0, round = 0; in >> who >> round;)
      if (who == worker) last = round;
    return last;
  }
};

/// This program once more, as the one that is killed: see a_killed_host_program.
struct HostProgram {
  pid_t pid = -1;
  std::array<UniqueFd, kDisks> ends;

  HostProgram(const fs::path& dir, std::uint64_t seed) {
    ::setenv("CAPSA_DISK_KILLED", dir.c_str(), 1);
    ::setenv("CAPSA_DISK_SEED", std::to_string(seed).c_str(), 1);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    std::array<UniqueFd, kDisks> theirs;
    for (std::size_t i = 0; i < kDisks; ++i) {
      int fds[2];
      BOOST_REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
      ends[i].reset(fds[0]);
      // Out of the way of the numbers that they are to have.
      theirs[i].reset(::fcntl(fds[1], F_DUPFD_CLOEXEC, 100));
      ::close(fds[1]);
      ::posix_spawn_file_actions_adddup2(&actions, theirs[i].get(), kReports + static_cast<int>(i));
    }
    std::string program = "/proc/self/exe";
    std::string test = "--run_test=a_killed_host_program";
    char* const arguments[] = {program.data(), test.data(), nullptr};
    const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::unsetenv("CAPSA_DISK_KILLED");
    ::unsetenv("CAPSA_DISK_SEED");
    BOOST_REQUIRE(failed == 0);
  }
};

/// Reads what comes until there are so many lines of each disk, or the end of all. False where it
/// came to the end, or nothing came for a long time.
bool read_reports(const HostProgram& program, std::array<Reports, kDisks>& reports,
                  std::size_t lines) {
  std::array<pollfd, kDisks> watched{};
  for (std::size_t i = 0; i < kDisks; ++i)
    watched[i] = {program.ends[i].get(), POLLIN, 0};
  const auto missing = [&] {
    return std::any_of(reports.begin(), reports.end(),
                       [lines](const Reports& one) { return one.lines() < lines; });
  };
  std::size_t open = kDisks;
  while (open != 0 && missing()) {
    if (::poll(watched.data(), watched.size(), 120'000) <= 0) return false;
    for (std::size_t i = 0; i < kDisks; ++i) {
      if (watched[i].revents == 0) continue;
      std::array<char, 4096> piece;
      const auto n = ::read(watched[i].fd, piece.data(), piece.size());
      if (n > 0) {
        reports[i].text.append(piece.data(), static_cast<std::size_t>(n));
      } else {
        watched[i].fd = -1;
        --open;
      }
    }
  }
  return open == kDisks;
}

/// Sectors that do not hold what was flushed last, or something that was written later.
std::size_t lost_sectors(const std::string& bytes, std::uint64_t seed, const Reports& reports) {
  const std::uint64_t blocks = bytes.size() / DISK_BLOCK;
  constexpr std::uint64_t kPerBlock = DISK_BLOCK / DISK_SECTOR;
  std::vector<std::uint64_t> at_least(blocks, 0);
  for (unsigned worker = 0; worker < kWorkers; ++worker) {
    const std::uint64_t last = reports.last_round(worker);
    for (std::uint64_t round = 1; round <= last; ++round)
      for (unsigned i = 0; i < DISK_ROUND_WRITES; ++i) {
        const auto step = disk_round_write(seed, blocks, worker, kWorkers, round, i);
        std::fill_n(at_least.begin() + static_cast<std::ptrdiff_t>(step.block), step.count, round);
      }
  }
  std::size_t lost = 0;
  std::array<std::uint64_t, DISK_SECTOR / 8> found;
  std::array<std::uint64_t, DISK_SECTOR / 8> expected{};
  for (std::uint64_t sector = 0; sector < blocks * kPerBlock; ++sector) {
    std::memcpy(found.data(), bytes.data() + sector * DISK_SECTOR, DISK_SECTOR);
    const std::uint64_t round = found[0];
    expected = {};
    if (round != 0) disk_round_sector(seed, round, sector, expected.data());
    if (round < at_least[sector / kPerBlock] || found != expected) ++lost;
  }
  return lost;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_killed_host_program, *utf::disabled())

/// Not a test: what the test below starts and kills.
BOOST_AUTO_TEST_CASE(lets_its_guest_write_to_the_end) {
  // Nobody else would end it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const char* const where = std::getenv("CAPSA_DISK_KILLED");
  BOOST_REQUIRE(where != nullptr);
  const fs::path dir = where;
  const auto seed = test::number_from_environment("CAPSA_DISK_SEED", 0);
  for (int i = 0; i < static_cast<int>(kDisks); ++i)
    ::fcntl(kReports + i, F_SETFD, FD_CLOEXEC);
  RuntimeOptions options;
  options.runtime_dir = dir / "run";
  Runtime own(options);
  auto vm = test::guest_vm(own)
                .cpus(2)
                .disk(dir / "raw.img")
                .disk(dir / "some.qcow2")
                .agent_enabled()
                .timeout(120s)
                .build()
                .get();
  vm.start().get();
  const auto agent = test::agent_with_worker(vm);
  for (std::size_t i = 0; i < kDisks; ++i) {
    OutputHandlers handlers;
    handlers.on_stdout = [i](std::string_view text) {
      (void)!::write(kReports + static_cast<int>(i), text.data(), text.size());
    };
    (void)agent
        .start(ExecSpec::command({"/tmp/worker", "journal", i == 0 ? "/dev/vda" : "/dev/vdb",
                                  std::to_string(seed + i), std::to_string(kWorkers)}),
               handlers)
        .get();
  }
  ::pause();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(disks_of_a_killed_host_program)

BOOST_AUTO_TEST_CASE(have_all_that_was_flushed_and_nobody_serves_them_any_more) {
  test::guest();
  const auto kills = test::number_from_environment("CAPSA_DISK_KILLS", 2);
  const auto first_seed = test::number_from_environment("CAPSA_DISK_SEED", 20);
  for (std::uint64_t seed = first_seed; seed < first_seed + kills; ++seed) {
    BOOST_TEST_CONTEXT("CAPSA_DISK_SEED=" << seed) {
      const tests::ScratchDir dir;
      const std::array<fs::path, kDisks> images = {
          test::make_image(dir.path() / "raw.img", kMib),
          test::make_image(dir.path() / "some.qcow2", kMib)};
      std::mt19937_64 random(seed);
      const HostProgram program(dir.path(), seed);
      std::array<Reports, kDisks> reports;
      BOOST_TEST_REQUIRE(read_reports(program, reports, 1 + random() % 50));
      BOOST_TEST(test::servers_of(images[1]) == 1U);
      // Any moment of the rounds that go on.
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 50'000));
      ::kill(program.pid, SIGKILL);
      ::waitpid(program.pid, nullptr, 0);
      BOOST_TEST(test::eventually([&] { return test::servers_of(images[1]) == 0; }));
      // What it had passed on before it died counts, too.
      read_reports(program, reports, SIZE_MAX);

      // Clusters that were had but not yet in the table when the server died are lost space, and
      // the format's order of writes allows no other damage.
      const int checked = test::check_image(images[1]);
      BOOST_TEST((checked == 0 || checked == 3), "qemu-img check: " << checked);
      if (checked == 3) {
        const auto mended =
            test::run_on_host("qemu-img check -q -r leaks -f qcow2 " + images[1].string());
        BOOST_TEST(mended.status == 0, mended.output);
        BOOST_TEST(test::check_image(images[1]) == 0);
      }
      for (std::size_t i = 0; i < kDisks; ++i) {
        const auto bytes = test::bytes_of_image(images[i]);
        BOOST_TEST_REQUIRE(bytes.size() == kMib << 20);
        BOOST_TEST(lost_sectors(bytes, seed + i, reports[i]) == 0U, images[i]);
        BOOST_TEST_MESSAGE(images[i].filename()
                           << ": killed after " << reports[i].lines() << " flushes");
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
