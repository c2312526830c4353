#include <unistd.h>
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/host_state.hpp>

using namespace capsa;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Kind = PoolEvent::Kind;

namespace {

/// Everything that happens to a pool.
class Events {
 public:
  explicit Events(const Pool& pool)
      : subscription_(pool.subscribe([seen = seen_](const PoolEvent& event) {
          const std::lock_guard lock(seen->mutex);
          seen->events.push_back(event);
          seen->changed.notify_all();
        })) {}

  /// The first of this kind; fails where it does not come within two minutes.
  PoolEvent wait_for(Kind kind, const std::string& vm = {}) {
    std::unique_lock lock(seen_->mutex);
    const auto is_it = [&](const PoolEvent& one) {
      return one.kind == kind && (vm.empty() || one.vm == vm);
    };
    const auto& all = seen_->events;
    const auto find = [&] { return std::find_if(all.begin(), all.end(), is_it); };
    BOOST_TEST_REQUIRE(seen_->changed.wait_for(lock, 120s, [&] { return find() != all.end(); }),
                       to_string(kind) << " of " << vm << " did not come");
    return *find();
  }
  bool seen(Kind kind) {
    const std::lock_guard lock(seen_->mutex);
    return std::any_of(seen_->events.begin(), seen_->events.end(),
                       [&](const PoolEvent& one) { return one.kind == kind; });
  }

 private:
  struct Seen {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<PoolEvent> events;
  };
  std::shared_ptr<Seen> seen_ = std::make_shared<Seen>();
  Subscription subscription_;
};

SandboxConfig empty_sandbox() {
  SandboxConfig config;
  config.assets = test::guest();
  return config;
}

PoolBuilder sandboxes(Runtime& runtime = test::runtime()) {
  return runtime.pool(empty_sandbox()).memory_mb(128);
}

std::string run(const VmHandle& vm, const std::string& line) {
  return vm.agent().get().exec(line).get().stdout_data;
}

bool nothing_is_left() {
  return test::eventually([] { return test::runtime().live_vms() == 0; }) &&
         test::machines_here() == 0;
}

/// A sandbox's guest, whose kernel can be taken away.
class MovableGuest {
 public:
  MovableGuest() {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    assets = test::guest();
    fs::copy_file(assets.kernel, kernel_);
    assets.kernel = kernel_;
  }
  ~MovableGuest() { fs::remove_all(dir_); }
  void take_away() const { fs::rename(kernel_, dir_ / "away"); }
  void put_back() const { fs::rename(dir_ / "away", kernel_); }

  GuestAssets assets;

 private:
  const fs::path dir_ = fs::temp_directory_path() / "capsa-pool-guest";
  const fs::path kernel_ = dir_ / "kernel";
};

}  // namespace

BOOST_AUTO_TEST_SUITE(a_pool)

BOOST_AUTO_TEST_CASE(has_vms_that_have_answered_and_run_nothing) {
  auto pool = sandboxes().name("box").share("/etc", "/mnt/etc").build(2).get();
  BOOST_TEST(pool.size() == 2U);
  BOOST_TEST(pool.name() == "box");
  BOOST_TEST(pool.available_count().get() == 2U);
  auto vm = pool.reserve().get();
  BOOST_TEST(pool.available_count().get() == 1U);
  BOOST_TEST(vm->status() == VmStatus::running());
  BOOST_TEST(vm->name().starts_with("box-"));
  BOOST_TEST(run(*vm, "hostname") == vm->name() + "\n");
  BOOST_TEST(run(*vm, "test -e /mnt/etc/passwd && echo there") == "there\n");
  BOOST_TEST(test::code_of(vm->main_process()) == ErrorCode::InvalidConfig);
  // What powers off by itself has not failed.
  const VmHandle kept = *vm;
  kept.stop().get();
  BOOST_TEST(kept.status() == VmStatus::stopped(0));
  std::move(vm).release().get();
  pool.shutdown().get();
  BOOST_TEST(nothing_is_left());
}

BOOST_AUTO_TEST_CASE(serves_who_waits_in_turn_and_gives_nothing_to_who_has_given_up) {
  auto pool = sandboxes().build(1).get();
  auto first = pool.reserve().get();
  auto impatient = pool.reserve_timeout(200ms);
  auto second = pool.reserve();
  auto third = pool.reserve();
  BOOST_TEST(test::code_of(std::move(impatient)) == ErrorCode::Timeout);
  BOOST_TEST(test::code_of(pool.reserve_timeout(0ms)) == ErrorCode::Timeout);
  auto tried = pool.try_reserve();
  BOOST_TEST_REQUIRE(!tried.ok());
  BOOST_TEST(tried.error().code() == ErrorCode::ResourceExhausted);
  BOOST_TEST(tried.error().retryable());
  std::move(first).release().get();
  auto vm = second.get();
  BOOST_TEST(vm->name() == pool.name() + "-2");
  BOOST_TEST(!third.wait_for(0ms));
  std::move(vm).release().get();
  BOOST_TEST(third.get()->name() == pool.name() + "-3");
  BOOST_TEST(pool.reserve_timeout(120s).get()->name() == pool.name() + "-4");
}

BOOST_AUTO_TEST_CASE(gives_no_vm_twice) {
  auto pool = sandboxes().build(2).get();
  std::set<std::string> names;
  for (int round = 0; round != 6; ++round) {
    auto vm = pool.reserve().get();
    BOOST_TEST(names.insert(vm->name()).second);
    BOOST_TEST(run(*vm, "cat /root-* /tmp/mark 2>/dev/null; echo " + std::to_string(round) +
                            " | tee /tmp/mark > /root-" + std::to_string(round)) == "");
  }
}

BOOST_AUTO_TEST_CASE(destroys_what_is_dropped_whoever_has_its_handle_and_boots_another) {
  auto pool = sandboxes().build(1).get();
  Events events(pool);
  std::optional<PooledVm> vm = pool.reserve().get();
  const VmHandle stale = vm->vm();
  const auto name = stale.name();
  vm.reset();
  BOOST_TEST(events.wait_for(Kind::Reserved).vm == name);
  BOOST_TEST(events.wait_for(Kind::Destroyed).vm == name);
  BOOST_TEST(stale.status().ended());
  BOOST_TEST(test::code_of(stale.start()) == ErrorCode::NotRunning);
  const auto available = events.wait_for(Kind::Available);
  BOOST_TEST(available.vm != name);
  BOOST_TEST(available.available == 1U);
  auto next = pool.try_reserve();
  BOOST_TEST_REQUIRE(next.ok());
  BOOST_TEST((*next)->name() == available.vm);
}

BOOST_AUTO_TEST_CASE(tells_that_it_cannot_refill_and_recovers_when_the_kernel_is_back) {
  const MovableGuest guest;
  auto config = empty_sandbox();
  config.assets = guest.assets;
  auto pool = test::runtime().pool(config).memory_mb(128).build(1).get();
  Events events(pool);
  auto vm = pool.reserve().get();
  guest.take_away();
  std::move(vm).release().get();
  const auto failed = events.wait_for(Kind::RefillFailed);
  BOOST_TEST(failed.cause.find("kernel") != std::string::npos, failed.cause);
  BOOST_TEST(failed.available == 0U);
  auto waiting = pool.reserve();
  events.wait_for(Kind::RefillFailed, pool.name() + "-3");
  BOOST_TEST(!waiting.wait_for(0ms));
  guest.put_back();
  BOOST_TEST(run(*waiting.get(), "echo here") == "here\n");
}

BOOST_AUTO_TEST_CASE(replaces_a_vm_that_ends_while_nobody_has_it) {
  if (test::on_kvm()) return;  // there is no process of it to be killed
  auto pool = sandboxes().build(1).get();
  Events events(pool);
  const auto machines = test::qemu_processes(::getpid());
  BOOST_TEST_REQUIRE(machines.size() == 1U);
  ::kill(machines[0], SIGKILL);
  const auto lost = events.wait_for(Kind::MemberLost);
  BOOST_TEST(lost.vm == pool.name() + "-1");
  BOOST_TEST(lost.cause.find("QEMU") != std::string::npos, lost.cause);
  BOOST_TEST(events.wait_for(Kind::Available).vm == pool.name() + "-2");
  BOOST_TEST(!events.seen(Kind::Destroyed));
}

BOOST_AUTO_TEST_CASE(that_is_shut_down_tells_who_waits_and_leaves_what_is_reserved) {
  auto pool = sandboxes().build(2).get();
  Events events(pool);
  auto mine = pool.reserve().get();
  auto other = pool.reserve().get();
  auto waiting = pool.reserve();
  std::move(other).release().get();
  pool.shutdown().get();
  // Whether it was served by the refill or not, nothing comes of it any more.
  BOOST_TEST(test::code_of(std::move(waiting)) == ErrorCode::PoolShutdown);
  BOOST_TEST(test::code_of(pool.reserve()) == ErrorCode::PoolShutdown);
  BOOST_TEST(pool.try_reserve().error().code() == ErrorCode::PoolShutdown);
  BOOST_TEST(pool.available_count().get() == 0U);
  events.wait_for(Kind::Shutdown);
  BOOST_TEST(test::runtime().live_vms() == 1U);
  BOOST_TEST(run(*mine, "echo still here") == "still here\n");
  pool.shutdown().get();
  std::move(mine).release().get();
  BOOST_TEST(nothing_is_left());
}

BOOST_AUTO_TEST_CASE(whose_last_handle_is_dropped_is_shut_down) {
  std::optional<Pool> pool = sandboxes().build(2).get();
  auto vm = pool->reserve().get();
  auto second = pool->reserve().get();
  auto waiting = pool->reserve();
  pool.reset();
  BOOST_TEST(test::code_of(std::move(waiting)) == ErrorCode::PoolShutdown);
  BOOST_TEST(run(*vm, "echo still here") == "still here\n");
  std::move(vm).release().get();
  std::move(second).release().get();
  BOOST_TEST(nothing_is_left());
}

BOOST_AUTO_TEST_CASE(ends_with_its_runtime) {
  Runtime own;
  auto pool = sandboxes(own).build(2).get();
  auto vm = pool.reserve().get();
  auto second = pool.reserve().get();
  auto waiting = pool.reserve();
  own.shutdown();
  BOOST_TEST(test::code_of(std::move(waiting)) == ErrorCode::RuntimeShutdown);
  BOOST_TEST(own.live_vms() == 0U);
  BOOST_TEST(test::machines_here() == 0U);
  BOOST_TEST(vm->status().ended());
  BOOST_TEST(test::code_of(pool.reserve()) == ErrorCode::RuntimeShutdown);
  BOOST_TEST(test::code_of(pool.available_count()) == ErrorCode::RuntimeShutdown);
  pool.shutdown().get();
  std::move(vm).release().get();
  BOOST_TEST(test::code_of(sandboxes(own).build(1)) == ErrorCode::RuntimeShutdown);
}

BOOST_AUTO_TEST_CASE(of_plain_vms_has_them_when_their_machines_run) {
  LinuxDirectBootConfig boot(test::guest().kernel, test::guest().initrd);
  boot.acpi = test::guest().acpi;
  auto pool = test::runtime().pool(boot).memory_mb(128).console_enabled().build(2).get();
  auto vm = pool.try_reserve().value();
  BOOST_TEST(vm->status() == VmStatus::running());
  vm->console().get();
  BOOST_TEST(test::code_of(vm->agent()) == ErrorCode::AgentUnavailable);
}

BOOST_AUTO_TEST_CASE(of_sandboxes_with_a_command_has_them_when_it_runs) {
  auto config = empty_sandbox();
  config.command.exec = ExecSpec::command({"sleep", "infinity"});
  auto pool = test::runtime().pool(config).memory_mb(128).build(1).get();
  auto vm = pool.try_reserve().value();
  BOOST_TEST(vm->main_process().get().pid() > 0);
  config.command.exec = ExecSpec::command({"no-such-command"});
  BOOST_TEST(test::code_of(test::runtime().pool(config).memory_mb(128).build(2)) ==
             ErrorCode::GuestError);
}

BOOST_AUTO_TEST_CASE(that_cannot_be_built_says_why_and_leaves_nothing) {
  BOOST_TEST(test::code_of(sandboxes().share("/tmp", "/mnt", MountMode::ReadWrite).build(2)) ==
             ErrorCode::InvalidConfig);
  BOOST_TEST(test::code_of(sandboxes().cpus(0).build(2)) == ErrorCode::InvalidConfig);
  BOOST_TEST(test::code_of(sandboxes().build(0)) == ErrorCode::InvalidConfig);
  const auto kernel = fs::temp_directory_path() / "capsa-no-kernel";
  std::ofstream(kernel) << "this is no kernel";
  const auto built = test::runtime()
                         .pool(LinuxDirectBootConfig(kernel, test::guest().initrd))
                         .agent_enabled()
                         .build(3)
                         .result();
  BOOST_TEST_REQUIRE(!built.ok());
  BOOST_TEST_MESSAGE(built.error().what());
  BOOST_TEST(nothing_is_left());
  fs::remove(kernel);
}

BOOST_AUTO_TEST_SUITE_END()
