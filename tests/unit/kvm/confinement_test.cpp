#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <backends/kvm/confinement.hpp>
#include <boost/test/unit_test.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

using namespace capsa;       // NOLINT: this is a test
using namespace capsa::kvm;  // NOLINT

namespace {

/// 0 where a file can be opened, or errno.
int try_to_open() {
  const UniqueFd file(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  return file ? 0 : errno;
}

/// Runs `work` on a thread that is confined. Nothing of the test's own is called there.
template <class F>
void confined(F work) {
  bool is_confined = false;
  std::thread thread([&] {
    is_confined = confine_this_thread().ok();
    if (is_confined) work();
  });
  thread.join();
  BOOST_REQUIRE(is_confined);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kvm_confinement)

BOOST_AUTO_TEST_CASE(a_confined_thread_opens_no_file) {
  int outcome = -1;
  confined([&] { outcome = try_to_open(); });
  BOOST_TEST(outcome == EPERM);
}

BOOST_AUTO_TEST_CASE(it_makes_no_socket_no_process_and_no_thread) {
  int socket_errno = 0;
  pid_t child = 0;
  bool made_thread = false;
  confined([&] {
    socket_errno = ::socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
    child = ::fork();
    if (child == 0) ::_exit(0);
    try {
      std::thread([] {}).join();
      made_thread = true;
    } catch (const std::exception&) {
    }
  });
  BOOST_TEST(socket_errno == EPERM);
  BOOST_TEST(child == -1);
  BOOST_TEST(!made_thread);
}

BOOST_AUTO_TEST_CASE(it_has_the_ioctls_of_a_running_guest_alone) {
  int outcome = -1;
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC));
  confined([&] {
    int available = 0;
    outcome = ::ioctl(event.get(), FIONREAD, &available) < 0 ? errno : 0;
  });
  BOOST_TEST(outcome == EPERM);
}

BOOST_AUTO_TEST_CASE(others_of_the_program_still_may) {
  std::atomic<int> stage{0};
  bool is_confined = false;
  std::thread thread([&] {
    is_confined = confine_this_thread().ok();
    stage = 1;
    stage.notify_all();
    stage.wait(1);
  });
  stage.wait(0);
  BOOST_TEST(is_confined);
  BOOST_TEST(try_to_open() == 0);
  int later = -1;
  std::thread([&] { later = try_to_open(); }).join();
  BOOST_TEST(later == 0);
  stage = 2;
  stage.notify_all();
  thread.join();
}

BOOST_AUTO_TEST_CASE(it_can_do_what_a_vcpu_does) {
  const UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  int pair[2];
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  const UniqueFd near(pair[0]);
  const UniqueFd far(pair[1]);
  std::mutex mutex;
  std::condition_variable changed;
  bool answered = false;
  std::size_t allocated = 0;
  bool posted = false;
  bool sent = false;
  std::thread loop([&] {
    std::uint64_t count = 0;
    while (::read(wake.get(), &count, sizeof count) < 0)
      std::this_thread::yield();
    const std::lock_guard lock(mutex);
    answered = true;
    changed.notify_all();
  });
  confined([&] {
    for (std::size_t size = 1; size < 64U << 20; size *= 2)
      allocated += std::vector<std::byte>(size).size();
    const std::uint64_t one = 1;
    posted = ::write(wake.get(), &one, sizeof one) == sizeof one;
    sent = ::send(near.get(), "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return answered; });
  });
  loop.join();
  BOOST_TEST(allocated > 0U);
  BOOST_TEST(posted);
  BOOST_TEST(sent);
  BOOST_TEST(answered);
}

BOOST_AUTO_TEST_CASE(it_takes_its_signals_back) {
  int taken = 0;
  confined([&] {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGRTMIN + 7);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::pthread_kill(::pthread_self(), SIGRTMIN + 7);
    const timespec at_once{};
    taken = ::sigtimedwait(&signals, nullptr, &at_once);
  });
  BOOST_TEST(taken == SIGRTMIN + 7);
}

BOOST_AUTO_TEST_CASE(many_threads_are_confined_at_once) {
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      if (confine_this_thread().ok() && try_to_open() == EPERM) ++refused;
    });
  for (auto& thread : threads)
    thread.join();
  BOOST_TEST(refused == 16);
}

BOOST_AUTO_TEST_CASE(the_environment_switches_it_off) {
  ::setenv("CAPSA_NO_SECCOMP", "1", 1);
  int outcome = -1;
  confined([&] { outcome = try_to_open(); });
  ::setenv("CAPSA_NO_SECCOMP", "0", 1);
  int other = -1;
  confined([&] { other = try_to_open(); });
  ::unsetenv("CAPSA_NO_SECCOMP");
  BOOST_TEST(outcome == 0);
  BOOST_TEST(other == EPERM);
}

BOOST_AUTO_TEST_SUITE_END()
