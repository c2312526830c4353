#include <signal.h>
#include <unistd.h>

#include <actors/loop/quiet_thread.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>

using namespace capsa;

namespace {

bool blocked(int signal_number) {
  sigset_t now;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &now);
  return ::sigismember(&now, signal_number) == 1;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(threads_of_the_library)

BOOST_AUTO_TEST_CASE(take_none_of_the_host_programs_signals_but_those_of_a_crash) {
  bool pipe = false;
  bool interrupt = false;
  bool crash = true;
  loop::quiet_thread([&] {
    pipe = blocked(SIGPIPE);
    interrupt = blocked(SIGINT);
    crash = blocked(SIGSEGV);
  }).join();
  BOOST_TEST(pipe);
  BOOST_TEST(interrupt);
  BOOST_TEST(!crash);
  BOOST_TEST(!blocked(SIGPIPE));  // the thread that began it is as it was
}

BOOST_AUTO_TEST_CASE(outlive_a_write_that_nobody_reads) {
  int ends[2];
  BOOST_TEST_REQUIRE(::pipe(ends) == 0);
  ::close(ends[0]);
  int why = 0;
  loop::quiet_thread([&] { why = ::write(ends[1], "x", 1) < 0 ? errno : 0; }).join();
  ::close(ends[1]);
  BOOST_TEST(why == EPIPE);
}

BOOST_AUTO_TEST_SUITE_END()
