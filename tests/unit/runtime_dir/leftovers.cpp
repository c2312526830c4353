#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <backends/program/program.hpp>
#include <backends/runtime_dir/process_identity.hpp>
#include <backends/runtime_dir/runtime_dir.hpp>
#include <boost/test/unit_test.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <fstream>
#include <net/host_nat/host_facts.hpp>
#include <tests/support/scratch_dir.hpp>
#include <thread>

using capsa::clean_leftovers_in;
using capsa::ErrorCode;
using capsa::RuntimeDir;
using capsa::UniqueFd;
using capsa::tests::ScratchDir;
namespace fs = std::filesystem;

namespace {

// No process has this number: it is beyond the kernel's largest (2^22).
const std::string kDead = "2000000000-5-0";

pid_t sleeper() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (;;)
      ::pause();
  }
  return pid;
}

struct Base {
  ScratchDir scratch;
  fs::path base = scratch.path() / "capsa";

  Base() {
    fs::create_directory(base);
    ::chmod(base.c_str(), 0700);
  }
  fs::path add(const std::string& name) const {
    fs::create_directories(base / name / "vm-a");
    std::ofstream(base / name / "lock") << "";
    std::ofstream(base / name / "vm-a" / "vsock.sock") << "";
    return base / name;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(leftovers, Base)

BOOST_AUTO_TEST_CASE(nothing_is_found_where_nothing_is) {
  BOOST_TEST(clean_leftovers_in(base)->empty());
  BOOST_TEST(clean_leftovers_in(scratch.path() / "missing")->empty());
  BOOST_TEST(!fs::exists(scratch.path() / "missing"));
}

BOOST_AUTO_TEST_CASE(directories_of_dead_processes_are_removed) {
  const auto dead = add(kDead);
  // Our own number, but of a process that ran before us.
  const auto self = capsa::own_identity();
  const auto reused =
      add(std::to_string(self.pid) + "-" + std::to_string(self.start_time - 1) + "-0");
  const auto found = clean_leftovers_in(base);
  BOOST_TEST_REQUIRE(found.ok());
  BOOST_TEST(found->size() == 2u);
  for (const auto& one : *found) {
    BOOST_TEST(one.removed);
    BOOST_TEST(one.killed.empty());
  }
  BOOST_TEST(!fs::exists(dead));
  BOOST_TEST(!fs::exists(reused));
  BOOST_TEST(clean_leftovers_in(base)->empty());
}

BOOST_AUTO_TEST_CASE(live_locked_and_foreign_directories_are_left_alone) {
  const auto own = RuntimeDir::create_in(base);
  BOOST_TEST_REQUIRE(own.ok());
  const auto locked = add(kDead);
  const UniqueFd lock(::open((locked / "lock").c_str(), O_RDWR | O_CLOEXEC));
  BOOST_TEST_REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
  for (const char* name :
       {"notes", "1-2", "1-2-3-4", "0-1-1", "1-2-x", "-1-2-3", "99999999999-1-1"})
    add(name);
  fs::create_directory(scratch.path() / "outside");
  std::ofstream(scratch.path() / "outside" / "precious") << "x";
  fs::create_directory_symlink(scratch.path() / "outside", base / "2000000001-5-0");
  const auto found = clean_leftovers_in(base);
  BOOST_TEST_REQUIRE(found.ok());
  BOOST_TEST(found->empty());
  BOOST_TEST(fs::exists(own->path() / "lock"));
  BOOST_TEST(fs::exists(locked / "vm-a"));
  BOOST_TEST(fs::exists(base / "notes"));
  BOOST_TEST(fs::exists(scratch.path() / "outside" / "precious"));
}

BOOST_AUTO_TEST_CASE(recorded_processes_are_killed_only_if_they_are_the_same) {
  const auto dead = add(kDead);
  const pid_t same = sleeper();
  const pid_t reused = sleeper();
  const auto same_identity = capsa::identify_process(same).value();
  const auto reused_identity = capsa::identify_process(reused).value();
  std::ofstream(dead / "vm-a" / "qemu.pid")
      << same_identity.pid << ' ' << same_identity.start_time << '\n';
  std::ofstream(dead / "other.pid")
      << reused_identity.pid << ' ' << reused_identity.start_time + 1 << '\n';
  std::ofstream(dead / "broken.pid") << reused << '\n';
  std::ofstream(dead / "self.pid") << ::getpid() << ' ' << capsa::own_identity().start_time << '\n';
  // Not followed, and not waited for.
  std::ofstream(scratch.path() / "elsewhere")
      << reused_identity.pid << ' ' << reused_identity.start_time << '\n';
  fs::create_symlink(scratch.path() / "elsewhere", dead / "link.pid");
  ::mkfifo((dead / "fifo.pid").c_str(), 0600);

  const auto found = clean_leftovers_in(base);
  BOOST_TEST_REQUIRE(found.ok());
  BOOST_TEST_REQUIRE(found->size() == 1u);
  BOOST_TEST(found->front().owner == 2000000000);
  BOOST_TEST(found->front().removed);
  BOOST_TEST(found->front().killed == std::vector<pid_t>{same}, boost::test_tools::per_element());
  BOOST_TEST(!capsa::is_alive(same_identity));
  BOOST_TEST(capsa::is_alive(reused_identity));
  ::kill(reused, SIGKILL);
  ::waitpid(same, nullptr, 0);
  ::waitpid(reused, nullptr, 0);
}

BOOST_AUTO_TEST_CASE(recorded_tables_of_nftables_are_removed_if_they_are_the_owner_s) {
  const auto nft = capsa::net::host_nat::host_facts().nft;
  if (nft.empty()) {
    BOOST_TEST_MESSAGE("skipped: nft is not installed");
    return;
  }
  bool can = false;
  std::string left;
  std::vector<std::string> removed;
  std::thread([&] {
    can = ::unshare(CLONE_NEWNET) == 0;
    if (!can) return;
    for (const auto* table : {"capsa_2000000000_1", "capsa_1_1", "filter"})
      capsa::program::run({.words = {nft, "create table inet " + std::string(table)}}).value();
    const auto dead = add(kDead);
    std::ofstream(dead / "vm-a" / capsa::kTableRecord) << "capsa_2000000000_1\n";
    // The first was never made, or somebody was quicker.
    for (const auto& [vm, text] :
         {std::pair{"vm-gone", "capsa_2000000000_2"}, std::pair{"vm-other", "capsa_1_1"},
          std::pair{"vm-evil", "capsa_2000000000_1;flush ruleset"}}) {
      fs::create_directory(dead / vm);
      std::ofstream(dead / vm / capsa::kTableRecord) << text;
    }
    const auto found = clean_leftovers_in(base).value();
    if (found.size() == 1 && found.front().removed) removed = found.front().tables;
    left = capsa::program::run({.words = {nft, "list tables"}}).value();
  }).join();
  if (!can) {
    BOOST_TEST_MESSAGE("skipped: network namespaces need root");
    return;
  }
  std::sort(removed.begin(), removed.end());
  const std::vector<std::string> expected{"capsa_2000000000_1", "capsa_2000000000_2"};
  BOOST_TEST(removed == expected, boost::test_tools::per_element());
  BOOST_TEST(left == "table inet capsa_1_1\ntable inet filter\n");
}

BOOST_AUTO_TEST_CASE(what_a_killed_process_left_is_found_by_the_next) {
  std::array<int, 2> pipe{};
  BOOST_TEST_REQUIRE(::pipe(pipe.data()) == 0);
  const UniqueFd ready(pipe[0]);
  UniqueFd tell(pipe[1]);
  const pid_t host = ::fork();
  if (host == 0) {
    const auto made = RuntimeDir::create_in(base);
    if (!made.ok() || !made->vm_dir("a").ok()) ::_exit(1);
    if (::write(tell.get(), "x", 1) != 1) ::_exit(1);
    for (;;)
      ::pause();
  }
  tell.reset();
  char byte = 0;
  BOOST_TEST_REQUIRE(::read(ready.get(), &byte, 1) == 1);
  BOOST_TEST(clean_leftovers_in(base)->empty());
  ::kill(host, SIGKILL);
  ::waitpid(host, nullptr, 0);
  const auto found = clean_leftovers_in(base);
  BOOST_TEST_REQUIRE(found->size() == 1u);
  BOOST_TEST(found->front().owner == host);
  BOOST_TEST(found->front().removed);
}

BOOST_AUTO_TEST_CASE(a_base_that_is_not_ours_alone_is_not_touched) {
  const auto dead = add(kDead);
  ::chmod(base.c_str(), 0755);
  const auto found = clean_leftovers_in(base);
  BOOST_TEST_REQUIRE(!found.ok());
  BOOST_TEST((found.error().code() == ErrorCode::PermissionDenied));
  BOOST_TEST(fs::exists(dead));
}

BOOST_AUTO_TEST_SUITE_END()
