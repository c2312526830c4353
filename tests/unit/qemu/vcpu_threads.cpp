#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <backends/vcpu_threads.hpp>
#include <boost/test/unit_test.hpp>
#include <thread>

using capsa::ErrorCode;
using namespace capsa::hypervisor;

namespace {

pid_t own_thread() {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(vcpu_threads)

BOOST_AUTO_TEST_CASE(a_busy_threads_time_grows) {
  const auto before = thread_stats(::getpid(), own_thread());
  BOOST_TEST_REQUIRE(before.ok());
  const auto until = before->user + std::chrono::milliseconds(30);
  auto now = before;
  while (now.ok() && now->user + now->system < until)  // ends when the clock has counted it
    now = thread_stats(::getpid(), own_thread());
  BOOST_TEST(now.ok());
}

BOOST_AUTO_TEST_CASE(a_thread_that_is_not_there_is_not_running) {
  BOOST_TEST((thread_stats(::getpid(), 1).error().code() == ErrorCode::NotRunning));
  BOOST_TEST((thread_stats(0, 0).error().code() == ErrorCode::NotRunning));
  BOOST_TEST((pin_thread(::getpid(), 1, {0}).error().code() == ErrorCode::NotRunning));
}

BOOST_AUTO_TEST_CASE(a_thread_is_pinned_to_the_cpus_given) {
  std::atomic<pid_t> thread{0};
  std::atomic<bool> done{false};
  std::thread other([&] {
    thread = own_thread();
    thread.notify_one();
    done.wait(false);
  });
  thread.wait(0);
  BOOST_TEST(pin_thread(::getpid(), thread, {0}).ok());
  cpu_set_t set;
  CPU_ZERO(&set);
  BOOST_TEST(::sched_getaffinity(thread, sizeof set, &set) == 0);
  BOOST_TEST(CPU_COUNT(&set) == 1);
  BOOST_TEST(CPU_ISSET(0, &set));
  BOOST_TEST((pin_thread(::getpid(), thread, {}).error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST(
      (pin_thread(::getpid(), thread, {0, 100000}).error().code() == ErrorCode::InvalidConfig));
  done = true;
  done.notify_one();
  other.join();
}

BOOST_AUTO_TEST_SUITE_END()
