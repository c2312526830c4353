#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <thread>
#include <tools/cli/main_loop.hpp>

using capsa::cli::MainLoop;
using std::chrono::milliseconds;

BOOST_AUTO_TEST_SUITE(main_loop)

BOOST_AUTO_TEST_CASE(work_from_another_thread_runs_in_order_on_this_one) {
  MainLoop loop({}, [](int) {});
  std::string seen;
  const auto here = std::this_thread::get_id();
  std::thread other([&, post = loop.poster()] {
    post([&] { seen += 'a'; });
    post([&] { seen += std::this_thread::get_id() == here ? 'b' : '?'; });
    post([&] { loop.quit(7); });
  });
  BOOST_TEST(loop.run() == 7);
  BOOST_TEST(seen == "ab");
  other.join();
}

BOOST_AUTO_TEST_CASE(the_first_status_counts) {
  MainLoop loop({}, [](int) {});
  loop.quit(1);
  loop.quit(2);
  BOOST_TEST(loop.run() == 1);
}

BOOST_AUTO_TEST_CASE(timers_run_by_time_not_by_order) {
  MainLoop loop({}, [](int) {});
  std::string seen;
  loop.after(milliseconds(20), [&] {
    seen += 'b';
    loop.quit(0);
  });
  loop.after(milliseconds(1), [&] { seen += 'a'; });
  loop.run();
  BOOST_TEST(seen == "ab");
}

BOOST_AUTO_TEST_CASE(signals_come_to_the_loop) {
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    int seen = 0;
    MainLoop* running = nullptr;
    MainLoop loop({SIGUSR1}, [&](int signal_number) {
      seen = signal_number;
      running->quit(0);
    });
    running = &loop;
    ::raise(SIGUSR1);
    loop.run();
    BOOST_TEST(seen == SIGUSR1);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

BOOST_AUTO_TEST_CASE(posting_to_a_loop_that_is_gone_does_nothing) {
  std::function<void(MainLoop::Work)> post;
  {
    MainLoop loop({}, [](int) {});
    post = loop.poster();
  }
  bool ran = false;
  post([&] { ran = true; });
  BOOST_TEST(!ran);
}

BOOST_AUTO_TEST_SUITE_END()
