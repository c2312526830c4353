#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <backends/qemu/child_monitor.hpp>
#include <boost/test/unit_test.hpp>
#include <map>
#include <string>
#include <tests/support/scratch_dir.hpp>

using capsa::Loop;
using capsa::UniqueFd;
using capsa::tests::ScratchDir;
using namespace capsa::qemu;

namespace {

/// Only remembers what is watched: the test says what is ready.
class HandLoop final : public Loop {
 public:
  void watch(int fd, std::uint32_t, ReadyCallback ready) override { watched[fd] = ready; }
  void rearm(int, std::uint32_t) override {}
  void unwatch(int fd) override { watched.erase(fd); }
  TimerId call_after(std::chrono::nanoseconds, Callback) override { return 0; }
  void cancel(TimerId) override {}
  void post(Callback) override {}
  std::chrono::steady_clock::time_point now() const override { return {}; }

  std::map<int, ReadyCallback> watched;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(child_monitor)

BOOST_AUTO_TEST_CASE(a_child_that_floods_its_errors_is_read_a_pipe_at_a_time) {
  const ScratchDir scratch;
  // A file is a pipe that is always full.
  const auto flood = scratch.file("flood", std::string(std::size_t{1} << 20, 'x') + "last");
  UniqueFd errors(::open(flood.c_str(), O_RDONLY | O_CLOEXEC));
  const int fd = errors.get();
  HandLoop loop;
  // Process 0: there is none to be killed or reaped.
  ChildMonitor monitor(
      loop, ChildProcess({0, UniqueFd(::eventfd(0, EFD_CLOEXEC)), {}}, std::move(errors), nullptr),
      [](ExitStatus) {});
  int wake_ups = 0;
  for (; loop.watched.contains(fd); ++wake_ups) {
    const auto before = ::lseek(fd, 0, SEEK_CUR);
    const auto ready = loop.watched[fd];
    ready(1);
    BOOST_TEST_REQUIRE(::lseek(fd, 0, SEEK_CUR) - before <= 64 * 1024);
  }
  BOOST_TEST(wake_ups == 17);
  BOOST_TEST(monitor.errors().size() == ChildMonitor::kKeptErrors);
  BOOST_TEST(monitor.errors().ends_with("last"));
}

BOOST_AUTO_TEST_SUITE_END()
